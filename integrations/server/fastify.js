// For Fastify: a hook for onSend, of a route or of all.

import { policyOf } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';

const LIFE = 'cdn-cache-control';
/** What an outer hook said of a reply, which is sent before an inner one's is known. */
const outer = new WeakMap();

/** Says of the answers of a route, or of all, how long freshet keeps them. */
export function cache(policy) {
  const fieldsOf = policyOf(policy);
  return async function freshetCache(request, reply, payload) {
    const { method, headers } = request;
    const facts = { method, cookie: headers.cookie, authorization: headers.authorization };
    const get = (name) => (name === LIFE && reply.getHeader(name) === outer.get(reply) ? undefined : reply.getHeader(name));
    const fields = fieldsOf(facts, { status: reply.statusCode, get }, [request, reply]);
    for (const [name, value] of fields) {
      if (value === null) reply.removeHeader(name);
      else reply.header(name, value);
      if (name === LIFE && value !== null) outer.set(reply, value);
    }
    // A hook that threw, or an error of the app after it: what was said of the page was not meant for this.
    if (reply.statusCode >= 400 && outer.has(reply) && get(LIFE) === undefined && !fields.some(([name]) => name === LIFE)) reply.removeHeader(LIFE);
    return typeof payload === 'string' ? Buffer.from(payload) : payload; // see tagList()
  };
}
