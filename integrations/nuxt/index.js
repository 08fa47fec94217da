// The module for Nuxt 4.

import { fileURLToPath } from 'node:url';
import { convert, optionsOf } from './rules.js';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

export default function freshet(inline, nuxt) {
  const options = optionsOf({ ...nuxt.options.freshet, ...inline });
  if (nuxt.options.dev) return;
  nuxt.hook('nitro:config', (config) => {
    config.virtual = { ...config.virtual, '#freshet-options': `export default ${JSON.stringify(options)}` };
    (config.plugins ??= []).push(here('runtime/nuxt-plugin.js'));
    ((config.externals ??= {}).inline ??= []).push(here('.'));
    convert((config.routeRules ??= {}));
  });
  // Rules of pages (defineRouteRules) come later.
  nuxt.hook('nitro:init', (nitro) => nitro.hooks.hook('build:before', () => convert(nitro.options.routeRules)));
}

freshet.getMeta = () => Promise.resolve({ name: '@freshet/nuxt', configKey: 'freshet', compatibility: { nuxt: '>=4.0.0' } });
