// purge() for who must know whether it was done: a webhook's route handler. Next runs its own revalidations after such a route has
// answered, and nobody hears when one fails.

import { createClient } from '@freshet/client';
import { store } from './store.js';

const client = createClient();

/** Resolves when neither Next nor freshet has what these tags and paths name; rejects when freshet could not be told. */
export async function purge({ tags = [], paths = [], soft = false, ...more }) {
  if (Object.keys(more).length > 0) throw new TypeError(`purge() knows no "${Object.keys(more)[0]}"; it knows tags, paths, soft`);
  const all = [...[tags].flat().map(headerSafe), ...[paths].flat().flatMap(tagsOfPath)];
  if (all.length === 0) throw new TypeError('purge() takes tags or paths');
  store.revalidate(all);
  return client.purge({ tags: all, soft });
}

/** The tag that each page has by itself; a page's path is meant without basePath, after rewrites. */
function tagsOfPath(path) {
  if (!path.startsWith('/')) throw new TypeError(`"${path}" is no path`);
  const bare = headerSafe(path.length > 1 ? path.replace(/\/+$/, '') : path);
  return bare === '/' ? ['_N_T_/', '_N_T_/index'] : [`_N_T_${bare}`];
}

/** As Next writes what is not ASCII into a header. */
const headerSafe = (text) => text.replace(/[^\t\x20-\x7e]+/g, (part) => encodeURIComponent(part));
