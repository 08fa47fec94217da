// withFreshet(): puts the two handlers into a configuration of Next.js, and the rule that keeps drafts with the editor.

import { fileURLToPath } from 'node:url';

const STORE_BYTES = 16 * 1024 * 1024;
const DRAFTS = ['__prerender_bypass', '__next_preview_data'];
/** The fields that make another answer of a page's URL. A redirect of RSC names them in no Vary. */
const RSC = ['rsc', 'next-router-state-tree', 'next-router-prefetch', 'next-router-segment-prefetch', 'next-url'];
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** `config` as next.config takes it, an object or a function. `next dev` gets it unchanged: there is no freshet. */
export function withFreshet(config = {}) {
  return async (phase, context) => {
    const given = typeof config === 'function' ? await config(phase, context) : config;
    if (phase === 'phase-development-server') return given;
    return {
      cacheMaxMemorySize: STORE_BYTES,
      ...given,
      cacheHandler: here('cache-handler.js'),
      cacheHandlers: { ...given.cacheHandlers, default: here('use-cache-handler.js') },
      headers: async () => [keepApart(), ...((await given.headers?.()) ?? [])],
    };
  };
}

export default withFreshet;

function keepApart() {
  return { source: '/:path*', headers: [{ key: 'Netlify-Vary', value: `cookie=${DRAFTS.join('|')}, header=${RSC.join('|')}` }] };
}
