import type { PurgeAnswer } from '@freshet/client';

export interface NextPurge {
  /** As given to cacheTag(), fetch() and unstable_cache(). */
  tags?: string | string[];
  /** Paths of pages without basePath, as revalidatePath() takes them. */
  paths?: string | string[];
  /** freshet shows the old page until it has the new one. */
  soft?: boolean;
}

/** Resolves when neither Next nor freshet has what these tags and paths name; rejects when freshet could not be told. */
export declare function purge(what: NextPurge): Promise<PurgeAnswer>;
