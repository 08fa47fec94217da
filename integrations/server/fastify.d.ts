import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CachePolicy } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';
export type { CachePolicy } from './policy.js';

/** A hook for onSend: says of the answers of a route, or of all, how long freshet keeps them. */
export declare function cache(
  policy: CachePolicy<[FastifyRequest, FastifyReply]>,
): (request: FastifyRequest, reply: FastifyReply, payload: unknown) => Promise<unknown>;
