// The recipes of docs/guides and docs/CACHING.md for pages of visitors who have a cookie, as they stand there, behind freshet: no page that
// was made for a cookie is anybody else's, also when the cookie is made up. Frameworks are played by what the recipe calls of them;
// `make sites` runs Next.js, WordPress and Rails themselves. CACHING.md 1.1, 4.4.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { Front, ask, end, run } from './lib/front.mjs';
import { block, blocks, change, guide } from './lib/guide.mjs';
import { freePorts, temporaryFolder, until } from './lib/world.mjs';

const folder = temporaryFolder();
const open = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
after(() => rmSync(folder, { recursive: true, force: true }));

const cookiesOf = (request) => Object.fromEntries((request.headers.cookie ?? '').split(';').filter((pair) => pair.includes('='))
  .map((pair) => pair.trim().split('=')));

/** freshet before `handle`, a handler of node:http. */
async function behind(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => (server.closeAllConnections(), server.close()));
  return before(`http://127.0.0.1:${server.address().port}`);
}

async function before(origin) {
  const front = await Front.start(origin);
  open.push(() => front.stop());
  return front;
}

/** Pages below `path`: whoever has the cookie `name` gets his own, others share one; whoever comes first. */
async function keepsApart(front, name, path = '/') {
  const mine = (value) => front.own(`${path}first`, { cookies: { [name]: value } });
  for (const value of ['genuine', 'made-up']) assert.match((await mine(value)).text, new RegExp(`${name}=${value}`));
  assert.match((await front.miss(`${path}first`)).text, /for everybody/);
  for (const value of ['genuine', 'made-up']) assert.match((await mine(value)).text, new RegExp(`${name}=${value}`));
  assert.match((await front.hit(`${path}first`)).text, /for everybody/);
  await front.hit(`${path}first`, { cookies: { other: '1' } });
}

const words = (request) => `for ${request.headers.cookie ?? 'everybody'}\n`;

test('any-origin.md: a server without a framework', async () => {
  const [port] = await freePorts(1);
  writeFileSync(join(folder, 'site.mjs'), change(block(guide('guides/any-origin.md'), 'js', '// site.mjs'), ['3000', `${port}`]));
  const site = run(process.execPath, [join(folder, 'site.mjs')], {}, () => {});
  open.push(() => end(site));
  await until('the site', () => ask(port, '/').then(() => true, () => false));
  const front = await before(`http://127.0.0.1:${port}`);
  await keepsApart(front, 'session', '/a/');
  await keepsApart(front, 'preview', '/b/');
});

test('any-origin.md: SvelteKit', async () => {
  const { handle } = await import(`data:text/javascript,${encodeURIComponent(block(guide('guides/any-origin.md'), 'js', 'hooks.server.js'))}`);
  const front = await behind(async (request, response) => {
    const jar = cookiesOf(request);
    const answer = await handle({ event: { cookies: { get: (name) => jar[name] } },
      // The page's load has said setHeaders(), its __data.json answers with both.
      resolve: () => new Response(words(request), { headers: { 'CDN-Cache-Control': 'max-age=600', 'Cache-Tag': 'post-17', 'Cache-Control': 'private, no-store' } }) });
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
  });
  await keepsApart(front, 'session');
});

test('any-origin.md: Nuxt', async () => {
  const code = block(guide('guides/any-origin.md'), 'ts', 'server/middleware').replace('export default', 'return');
  const middleware = new Function('defineEventHandler', 'setHeader', 'getCookie', code)((handler) => handler,
    (event, name, value) => event.response.setHeader(name, value), (event, name) => cookiesOf(event.request)[name]);
  const front = await behind((request, response) => {
    middleware({ path: request.url, request, response });
    response.end(words(request));
  });
  await keepsApart(front, 'session', '/blog/a');
  await keepsApart(front, '__preview', '/blog/b');
  await front.own('/account');
});

test('CACHING.md: a page that shows who is signed in', async () => {
  const text = guide('CACHING.md');
  const recipe = text.slice(text.indexOf('**A page that shows who is signed in.**'), text.indexOf('**A page in several languages**'));
  const [signedIn, others] = blocks(recipe, '').map((code) => code.trim().split('\n').map((line) => line.split(': ')));
  const front = await behind((request, response) => {
    for (const [name, value] of 'session' in cookiesOf(request) ? signedIn : others) response.setHeader(name, value);
    response.end(words(request));
  });
  await keepsApart(front, 'session');
});

// ---- Next.js: headers() by Next's own rules

/** A source as Next reads it, for `:name` and `:name*`. */
const source = (text) => new RegExp(`^${text.replace(/\/:(\w+)\*/g, '(?:/(?<$1>.*))?').replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`);

/** The fields that headers() adds to a request: every rule whose source, `has` and `missing` fit, the last one counts. */
export function headersOf(rules, request) {
  const jar = cookiesOf(request);
  const is = ({ type, key }) => (type === 'cookie' ? key in jar : key.toLowerCase() in request.headers);
  const fields = {};
  for (const rule of rules) {
    const match = source(rule.source).exec(new URL(request.url, 'http://x').pathname);
    if (!match || !(rule.has ?? []).every(is) || (rule.missing ?? []).some(is)) continue;
    for (const { key, value } of rule.headers) fields[key] = value.replace(/:(\w+)/g, (_, name) => match.groups?.[name] ?? '');
  }
  return fields;
}

test('nextjs.md: drafts', async () => {
  const { default: config } = await import(`data:text/javascript,${encodeURIComponent(block(guide('guides/nextjs.md'), 'js', 'next.config.mjs'))}`);
  const rules = await config.headers();
  const front = await behind((request, response) => {
    const draft = ['__prerender_bypass', '__next_preview_data'].some((name) => name in cookiesOf(request));
    for (const [name, value] of Object.entries(headersOf(rules, request))) response.setHeader(name, value);
    response.setHeader('Vary', 'rsc, next-router-state-tree, next-router-prefetch, next-router-segment-prefetch, Accept-Encoding');
    response.setHeader('Cache-Control', draft ? 'private, no-cache, no-store, max-age=0, must-revalidate' : 's-maxage=60, stale-while-revalidate=31535940');
    if (request.headers.rsc && request.url.endsWith('_rsc=1')) { // not the hash of these fields: a redirect, without Vary
      response.removeHeader('Vary');
      response.removeHeader('Cache-Control');
      response.statusCode = 307;
      response.setHeader('Location', `?_rsc=${request.headers['next-router-state-tree']}`);
    }
    response.end(words(request));
  });
  await keepsApart(front, '__prerender_bypass', '/blog/a');
  await keepsApart(front, '__next_preview_data', '/blog/b');
  const page = await front.hit('/blog/afirst');
  assert.match(page.cache, /ttl=86\d\d\d/);
  assert.equal(page.headers['cache-tag'], 'blog, post-afirst');
  const rsc = (tree) => front.get('/blog/new?_rsc=1', { headers: { RSC: '1', 'Next-Router-State-Tree': tree } });
  for (const tree of ['x', 'y', 'x']) assert.equal((await rsc(tree)).headers.location, `?_rsc=${tree}`);
  assert.equal((await front.get('/blog/new?_rsc=1')).status, 200);
});
