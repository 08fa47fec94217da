import type { Policy } from '@freshet/client/fields';

/** How pages are kept; `tags` may be a function that is asked when the answer is there. */
export interface CachePolicy<Arguments extends unknown[]> extends Omit<Policy, 'tags' | 'said'> {
  tags?: string | string[] | ((...args: Arguments) => string | string[] | undefined);
}
