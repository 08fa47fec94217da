// A handle hook: says for each route how long freshet keeps its pages and their __data.json, and purges both after an action.

import { createClient } from '@freshet/client';
import { fieldsFor, hasCookie, lifetime, tagList } from '@freshet/client/fields';

export { FreshetError, createClient, purge } from '@freshet/client';

const OPTIONS = ['routes', 'personal', 'admin', 'tokenFile', 'site', 'onPurgeError'];
const POLICY = ['ttl', 'swr', 'sie', 'tags', 'notFound'];
const UNSAFE = ['POST', 'PUT', 'PATCH', 'DELETE'];
/** A load function has another event than the hook, but the same locals. */
const tagsOf = new WeakMap();

export function freshet({ routes = {}, personal = [], onPurgeError = raise, ...options } = {}) {
  only(options, OPTIONS, 'freshet()');
  for (const [route, policy] of Object.entries(routes)) check(route, policy, personal);
  const client = createClient(options);

  return async function handle({ event, resolve }) {
    const policy = find(routes, event.route.id);
    if (!policy) return keepApart(event, await resolve(event), personal);
    const said = hearCacheControl(event);
    const response = changeable(await resolve(event));
    if (UNSAFE.includes(event.request.method)) await afterAction(client, event, response, onPurgeError);
    else await describe(event, response, { ...policy, personal }, said());
    return response;
  };
}

/** Adds tags to the page that is being made, from load functions and hooks. */
export function addTags(event, ...tags) {
  tagList(...tags);
  tagsOf.set(event.locals, [...(tagsOf.get(event.locals) ?? []), ...tags.flat()]);
}

/** The tag that a page and its __data.json have by themselves; for purge({ tags: [pathTag('/blog')] }). */
export function pathTag(pathname) {
  return `path:${(pathname.replace(/\/+$/, '') || '/').replaceAll(',', '%2C')}`;
}

function raise(error) {
  throw error;
}

// ---- Which route

function check(route, policy, personal) {
  if (!/^(\/.*|\*)$/.test(route)) throw new TypeError(`"${route}" is no id of a route; one begins with / and may end with /*`);
  only(policy, POLICY, `freshet(): the route ${route}`);
  lifetime(policy);
  fieldsFor({ personal, ...(typeof policy.tags !== 'function' && { tags: policy.tags }) }, { method: 'GET' }, { status: 200, get() {} });
}

/** The first that fits: the id itself, or all below it. */
function find(routes, id) {
  if (id === null) return undefined;
  const fits = (route) => route === '*' || route === id || (route.endsWith('/*') && `${id}/`.startsWith(route.slice(0, -1)));
  const route = Object.keys(routes).find(fits);
  return route && routes[route];
}

// ---- A page and its data

/** kit sends each __data.json as private, so what counts is what a load function said. */
function hearCacheControl(event) {
  const { setHeaders } = event;
  let heard;
  event.setHeaders = (headers) => {
    for (const [name, value] of Object.entries(headers)) if (name.toLowerCase() === 'cache-control') heard = value;
    setHeaders(headers);
  };
  return () => heard;
}

async function describe(event, response, policy, saidByLoad) {
  const { headers, status } = response;
  const { isDataRequest, request } = event;
  const tags = [pathTag(event.url.pathname), ...[typeof policy.tags === 'function' ? policy.tags(event) : policy.tags].flat(), ...(tagsOf.get(event.locals) ?? [])];
  const get = (name) => (isDataRequest && name === 'cache-control' ? saidByLoad : headers.get(name));
  const facts = { method: request.method, cookie: request.headers.get('cookie'), authorization: request.headers.get('authorization') };
  const asked = isDataRequest && (await isBroken(response)) ? 500 : status;
  for (const [name, value] of Object.entries(fieldsFor({ ...policy, tags }, facts, { status: asked, get }))) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
}

/** The status of __data.json is 200 also when a load function failed; of data that still streams nobody knows. */
async function isBroken(response) {
  if (!response.headers.get('content-type')?.startsWith('application/json')) return true;
  return /"type":"error"/.test(await response.clone().text());
}

/** Pages of other routes say themselves how long they are kept; that they are somebody's own is said here. */
function keepApart(event, given, personal) {
  const { method, headers } = event.request;
  if (personal.length === 0 || !['GET', 'HEAD'].includes(method)) return given;
  const says = ['cdn-cache-control', 'netlify-cdn-cache-control'].some((name) => given.headers.has(name));
  if (!says && !hasCookie(headers.get('cookie'), personal)) return given;
  const response = changeable(given);
  const fields = fieldsFor({ personal }, { method, cookie: headers.get('cookie') }, { status: response.status, get: (name) => response.headers.get(name) });
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) response.headers.delete(name);
    else response.headers.set(name, value);
  }
  return response;
}

async function afterAction(client, event, response, onPurgeError) {
  if (response.status >= 400 || event.isRemoteRequest) return;
  try {
    await client.purge({ tags: [pathTag(event.url.pathname)] });
  } catch (error) {
    await onPurgeError(error, event);
  }
}

/** What fetch() gave has fields that cannot be changed. */
function changeable(response) {
  try {
    response.headers.delete('x-freshet-none');
    return response;
  } catch {
    return new Response(response.body, response);
  }
}

function only(object, names, where) {
  const unknown = Object.keys(object).find((name) => !names.includes(name));
  if (unknown) throw new TypeError(`${where} knows no "${unknown}"; it knows ${names.join(', ')}`);
}
