import node from '@astrojs/node';
import { defineConfig } from 'astro/config';

// No script is small enough for the page itself.
export default defineConfig({ output: 'server', adapter: node({ mode: 'standalone' }), vite: { build: { assetsInlineLimit: 0 } } });
