import node from '@astrojs/node';
import freshet from '@freshet/astro';
import { defineConfig, passthroughImageService } from 'astro/config';

export default defineConfig({
  output: 'server',
  adapter: node({ mode: 'standalone' }),
  integrations: [freshet()],
  session: false,
  image: { service: passthroughImageService() },
  devToolbar: { enabled: false },
});
