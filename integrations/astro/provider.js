// The provider of Astro's route cache. What Astro.cache and routeRules say goes into fields that freshet reads and removes; freshet
// keeps the pages, so nothing is kept here.

import { createClient } from '@freshet/client';
import { fieldsFor, lifetime, tagList } from '@freshet/client/fields';

const FIELDS = { 'cdn-cache-control': 'netlify-cdn-cache-control' };

export default function provider({ admin, tokenFile, site, personal = [], base = '/' } = {}) {
  const client = createClient({ admin, tokenFile, site });
  return {
    name: 'freshet',

    setHeaders({ maxAge, swr, tags, lastModified, etag }) {
      const headers = new Headers();
      const value = lifetime({ ttl: maxAge, swr });
      const list = tagList(tags ?? []);
      if (value) headers.set('CDN-Cache-Control', value);
      if (list) headers.set('Cache-Tag', list);
      if (lastModified) headers.set('Last-Modified', lastModified.toUTCString());
      if (etag) headers.set('ETag', etag);
      return headers;
    },

    async onRequest({ request, url }, next) {
      const response = changeable(await next());
      if (response.headers.has('cdn-cache-control') && !isInternal(url.pathname, base)) translate(request, response, personal);
      return response;
    },

    async invalidate({ path, tags }) {
      const what = {};
      if (tags !== undefined && tags.length > 0) what.tags = tags;
      if (path !== undefined) what.urls = spellings(path);
      if (what.tags || what.urls) await client.purge(what);
    },
  };
}

/** Astro removes CDN-Cache-Control and Cache-Tag after this, so what they say goes on under the names that freshet removes. */
function translate(request, { headers, status }, personal) {
  const tags = headers.get('cache-tag');
  const said = headers.get('cdn-cache-control');
  headers.delete('cdn-cache-control');
  const facts = { method: request.method, cookie: request.headers.get('cookie'), authorization: request.headers.get('authorization') };
  const fields = fieldsFor({ said, personal, notFound: true }, facts, { status, get: (name) => headers.get(name) });
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) headers.delete(name);
    else headers.set(FIELDS[name] ?? name, value);
  }
  if (tags && fields['cdn-cache-control']) headers.append('netlify-cache-tag', tags);
}

/** Islands and actions are made for one visitor; a rule for all paths does not mean them. */
function isInternal(pathname, base) {
  const path = pathname.slice(base.replace(/\/$/, '').length);
  return path.startsWith('/_server-islands/') || path.startsWith('/_actions/');
}

/** Both spellings of a page's path: with trailingSlash 'ignore' both are answered. */
function spellings(path) {
  const [, before, query] = /^([^?#]*)(.*)$/.exec(path);
  const bare = before.replace(/\/+$/, '');
  return bare === '' ? [`/${query}`] : [bare + query, `${bare}/${query}`];
}

/** Response.redirect() makes one whose fields cannot be changed; Astro's own marks on it go along. */
function changeable(response) {
  try {
    response.headers.delete('x-freshet-none');
    return response;
  } catch {
    const copy = new Response(response.body, response);
    for (const mark of Object.getOwnPropertySymbols(response)) if (Symbol.keyFor(mark)?.startsWith('astro.')) copy[mark] = response[mark];
    return copy;
  }
}
