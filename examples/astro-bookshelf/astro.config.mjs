import node from '@astrojs/node';
import { defineConfig, passthroughImageService } from 'astro/config';

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'standalone' }),
  image: { service: passthroughImageService() },
  devToolbar: { enabled: false },
  // Astro compares a form's origin with a host that it must be told beforehand. The one form here (src/pages/theme.ts)
  // compares it with the host that was asked for instead, so that the example works behind any address.
  security: { checkOrigin: false },
});
