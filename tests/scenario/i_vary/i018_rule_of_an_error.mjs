// Redirects and errors that carry Vary are stored by their own rule, each visitor's apart, as long as no 2xx has brought one; a 2xx takes
// nothing over from them, and no error that a visitor provokes makes pages of a 2xx unfindable.
// CACHING.md 4.6
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const minute = { 'Cache-Control': 's-maxage=60' };
const next = { ...minute, Vary: 'rsc, next-router-state-tree, next-router-prefetch, Accept-Encoding' };
let n = 0;
const held = [];
const answer = async (r) => {
  const body = `${++n}`;
  const [path, query = ''] = r.target.split('?');
  if (path === '/go') return reply(body, { ...minute, Vary: 'Accept-Language', Location: '/x' }, '302 Found');
  if (path === '/mine') return reply(body, { ...minute, Vary: 'Cookie' }, query === 'none' ? '404 Not Found' : '307 Temporary Redirect');
  if (path === '/next') return reply(body, next, query === '308' ? '308 Permanent Redirect' : '404 Not Found');
  if (path === '/mixed') return query === 'none' ? reply(body, minute, '404 Not Found') : reply(body, { ...minute, Vary: 'X-A' }, '301 Moved Permanently');
  if (path === '/q') return reply(body, { ...minute, 'Netlify-Vary': 'query=id' }, '404 Not Found');
  if (path === '/page' || path === '/race' || path === '/plain') {
    if (path === '/race' && query) await new Promise((release) => held.push(release));
    if (query) return reply(body, { ...minute, Vary: 'X-A, X-B' }, '404 Not Found');
    return reply(body, path === '/plain' ? minute : { ...minute, Vary: 'X-A' });
  }
  return reply(body, minute);
};
await scenario({ answer }, async ({ ask, cases, freshet, origin }) => {
  const is = async (name, target, fields, cache) => cases.check(`${name}: ${target} ${JSON.stringify(fields)}`, async () => {
    const r = await ask(target, fields);
    equal(r.fields['cache-status'].replace('ttl=59', 'ttl=60'), `freshet; ${cache}`);
  });
  const hit = 'hit; ttl=60';
  const miss = 'fwd=uri-miss; stored';
  const variant = 'fwd=vary-miss; stored';
  const conflict = 'fwd=vary-miss; detail=vary-conflict';

  await is('a redirect', '/go', { 'Accept-Language': 'de' }, miss);
  await is('a redirect', '/go', { 'Accept-Language': 'de' }, hit);
  await is('a redirect of another language', '/go', { 'Accept-Language': 'en' }, variant);
  await is('a redirect', '/go', { 'Accept-Language': 'de' }, hit);
  for (const query of ['', '?308']) {
    await is('of Next.js', `/next${query}`, {}, query ? variant : miss);
    await is('of Next.js', `/next${query}`, {}, hit);
    await is('of Next.js', `/next${query}`, { RSC: '1' }, variant);
    await is('of Next.js', `/next${query}`, { RSC: '1' }, hit);
  }
  await is('one visitor\'s', '/mine', { Cookie: 'a=1' }, miss);
  await is('another\'s', '/mine', { Cookie: 'a=2' }, variant);
  await is('one visitor\'s', '/mine', { Cookie: 'a=1' }, hit);
  await is('an error with the same rule', '/mine?none', { Cookie: 'a=1' }, variant);
  await is('one without a rule', '/mixed', { 'X-A': '1' }, miss);
  await is('one without a rule', '/mixed?none', {}, variant);
  await is('takes no place', '/mixed', { 'X-A': '1' }, hit);
  await is('parameters that are not in the key', '/q?id=1&x=1', {}, 'fwd=uri-miss; detail=unkeyed-query');
  await is('parameters that are not in the key', '/q?x=1&id=1', {}, miss);
  await is('parameters that are not in the key', '/q?id=1', {}, hit);
  await cases.check('and did not reach the origin', () => equal(origin.requests.at(-1).target, '/q?id=1'));

  for (const path of ['/page', '/plain']) {
    await is('an error before the page', `${path}?x`, { 'X-A': '1' }, miss);
    await is('the page brings its own', path, { 'X-A': '1', 'X-B': '1' }, variant);
    await is('its own alone', path, { 'X-A': '1', 'X-B': '2' }, hit);
    if (path === '/plain') await is('its own alone', path, {}, hit);
    await is('an error is held to it', `${path}?y`, { 'X-A': '1' }, conflict);
    await is('the page is found', path, { 'X-A': '1' }, hit);
  }
  await cases.check('the same when both are under way', async () => {
    const error = ask('/race?x');
    await soon(() => held.length === 1);
    check((await ask('/race')).fields['cache-status'].endsWith('; stored'));
    held.splice(0).forEach((release) => release());
    check((await error).fields['cache-status'].endsWith('; detail=vary-conflict'));
    await freshet.settle();
    equal((await ask('/race')).fields['cache-status'].slice(0, 12), 'freshet; hit');
  });
});
