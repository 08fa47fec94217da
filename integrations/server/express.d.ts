import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CachePolicy } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';
export type { CachePolicy } from './policy.js';

/** Says of the answers of a route, or of all, how long freshet keeps them. */
export declare function cache<Req extends IncomingMessage = any, Res extends ServerResponse = any>(
  policy: CachePolicy<[Req, Res]>,
): (req: Req, res: Res, next: (error?: unknown) => void) => void;
