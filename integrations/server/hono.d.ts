import type { Context, MiddlewareHandler } from 'hono';
import type { CachePolicy } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';
export type { CachePolicy } from './policy.js';

/** Says of the answers of a route, or of all, how long freshet keeps them. */
export declare function cache(policy: CachePolicy<[Context]>): MiddlewareHandler;
