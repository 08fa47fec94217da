// Next's `cacheHandler`: puts the tags of each page onto its response, and purges freshet when tags are revalidated. This is the only
// place that purges: Next calls the other handler for the same tags.

import { createClient } from '@freshet/client';
import { sizeOf, store } from './store.js';

const TAGS = 'x-next-cache-tags'; // Next keeps it from visitors
const client = createClient();

export default class FreshetCacheHandler {
  constructor({ maxMemoryCacheSize } = {}) {
    if (maxMemoryCacheSize !== undefined) store.limit = maxMemoryCacheSize;
  }

  async get(key, { tags = [], softTags = [] } = {}) {
    const found = store.get(key, [...tags, ...softTags]);
    if (found === undefined) store.begin(key);
    return found ?? null;
  }

  /** Next sends the object that it gives here, so the field goes out with this response, with those from the store, HTML and RSC alike. */
  async set(key, data, { tags = [], cacheControl } = {}) {
    const header = data?.headers?.[TAGS];
    if (header) data.headers['cache-tag'] = header;
    const at = store.begunAt(key);
    const own = [...(header?.split(',') ?? []), ...(data?.tags ?? []), ...tags];
    store.set(key, { value: data, lastModified: at, cacheControl }, { tags: own, at, size: sizeOf(key) + sizeOf(data) });
  }

  /** Without durations, or with an end at once: gone. Else old from now on: freshet shows the old page until it has the new one. */
  async revalidateTag(tags, durations) {
    const all = [tags].flat();
    if (all.length === 0) return;
    store.revalidate(all);
    await client.purge({ tags: all, soft: durations !== undefined && durations.expire !== 0 });
  }

  resetRequestCache() {}
}
