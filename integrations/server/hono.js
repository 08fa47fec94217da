// For Hono.

import { policyOf } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';

/** Says of the answers of a route, or of all, how long freshet keeps them. */
export function cache(policy) {
  const fieldsOf = policyOf(policy);
  return async function freshetCache(c, next) {
    await next();
    const request = { method: c.req.method, cookie: c.req.header('cookie'), authorization: c.req.header('authorization') };
    const { status, headers } = c.res;
    for (const [name, value] of fieldsOf(request, { status, get: (name) => headers.get(name) }, [c])) c.header(name, value ?? undefined);
  };
}
