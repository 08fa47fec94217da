// For server routes.

import { createClient } from '@freshet/client';
import { pathTag } from './tags.js';

export { FreshetError, createClient } from '@freshet/client';
export { addTags, pathTag } from './tags.js';

const client = createClient();

/** Resolves when what these tags and paths name is purged, pages with their _payload.json; rejects with what freshet said. */
export function purge({ tags = [], paths = [], ...more }) {
  const all = [...[tags].flat(), ...[paths].flat().map(pathTag)];
  return client.purge({ ...more, ...(all.length > 0 && { tags: all }) });
}
