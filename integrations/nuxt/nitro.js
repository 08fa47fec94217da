// The module for Nitro 3 without Nuxt.

import { fileURLToPath } from 'node:url';
import { convert, optionsOf } from './rules.js';

export function freshet(given) {
  const options = optionsOf(given);
  return {
    name: '@freshet/nuxt/nitro',
    setup(nitro) {
      if (nitro.options.dev) return;
      nitro.options.virtual['#freshet-options'] = `export default ${JSON.stringify(options)}`;
      nitro.options.plugins.push(fileURLToPath(new URL('runtime/nitro-plugin.js', import.meta.url)));
      // Virtual modules are known to what is bundled only.
      nitro.options.externals = { ...nitro.options.externals, inline: [...(nitro.options.externals?.inline ?? []), fileURLToPath(new URL('.', import.meta.url))] };
      convert(nitro.options.routeRules);
      nitro.hooks.hook('build:before', () => convert(nitro.options.routeRules));
    },
  };
}

export default freshet();
