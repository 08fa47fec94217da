import type { PurgeAnswer, PurgeRequest } from '@freshet/client';

export { FreshetError, createClient } from '@freshet/client';
export { addTags, pathTag } from './tags.js';

export interface NuxtPurge extends PurgeRequest {
  tags?: string | string[];
  /** Paths of pages; their data goes with them. */
  paths?: string | string[];
}

/** Resolves when what these tags and paths name is purged; rejects with what freshet said. */
export declare function purge(what: NuxtPurge): Promise<PurgeAnswer>;
