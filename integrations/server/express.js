// For Express, and for whatever else has middleware of the form (request, response, next) over node:http.

import { policyOf } from './policy.js';

export { createClient, purge, FreshetError } from '@freshet/client';

/** Says of the answers of a route, or of all, how long freshet keeps them. */
export function cache(policy) {
  const fieldsOf = policyOf(policy);
  return function freshetCache(req, res, next) {
    beforeHead(res, () => {
      const request = { method: req.method, cookie: req.headers.cookie, authorization: req.headers.authorization };
      for (const [name, value] of fieldsOf(request, { status: res.statusCode, get: (name) => res.getHeader(name) }, [req, res])) {
        if (value === null) res.removeHeader(name);
        else res.setHeader(name, value);
      }
    });
    for (const name of ['write', 'end']) res[name] = ofBytes(res[name]);
    next();
  };
}

/** write() and end() with bytes in place of a string; see tagList(). */
function ofBytes(method) {
  return function (body, encoding, ...rest) {
    if (typeof body !== 'string') return method.call(this, body, encoding, ...rest);
    return typeof encoding === 'string' ? method.call(this, Buffer.from(body, encoding), ...rest) : method.call(this, Buffer.from(body), encoding, ...rest);
  };
}

/** Calls `act` once, when status and fields are known and not yet sent. */
function beforeHead(res, act) {
  const { writeHead } = res;
  res.writeHead = function (status, ...rest) {
    res.writeHead = writeHead;
    const message = typeof rest[0] === 'string' ? [rest[0]] : [];
    res.statusCode = status;
    take(res, rest[message.length]);
    act();
    return res.writeHead(status, ...message);
  };
}

/** Fields that writeHead() was given, so that they are seen, too. */
function take(res, fields) {
  if (!fields) return;
  if (!Array.isArray(fields)) {
    for (const [name, value] of Object.entries(fields)) if (value !== undefined) res.setHeader(name, value);
    return;
  }
  const flat = fields.flat();
  for (let i = 0; i < flat.length; i += 2) res.removeHeader(flat[i]);
  for (let i = 0; i < flat.length; i += 2) res.appendHeader(flat[i], flat[i + 1]);
}
