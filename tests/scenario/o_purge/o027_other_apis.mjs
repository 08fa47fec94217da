// The purge APIs of Fastly, Cloudflare and Vercel on the admin listener purge what their clients mean, and answer in their forms; what is
// not understood, or comes without the token, purges nothing.
// CACHING.md 5.3; hostile h3-17 (Purge API abuse)
import { check, equal, reply, scenario } from '../lib.mjs';

const pages = ['/a', '/b', '/blog/c', '/blog/d?x=1'];
let n = 0;
const answer = (r) => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60', 'Cache-Tag': `${r.target.slice(1)}, ${r.fields.host.replace(/:.*/, '')}` });
const yaml = (url) => `sites:\n  one:\n    hosts: [one.test]\n    origin: ${url}\n  two:\n    hosts: [two.test]\n    origin: ${url}\n`;
const token = 'token-of-the-tests';
const cf = '/client/v4/zones/one/purge_cache';
const vercel = '/v1/edge-cache/invalidate-by-tags?projectIdOrName=one&teamId=t';
const drop = '/v1/edge-cache/dangerously-delete-by-tags?projectIdOrName=one';
// [what, target, body, fields, gone at one.test, soft, the answer has]
const good = [
  ['Fastly: a key', '/service/one/purge/blog%2Fc', undefined, {}, ['/blog/c'], false, '{"status":"ok","id":"'],
  ['Fastly: a key in a raw path', '/service/one/purge/blog/c', undefined, {}, ['/blog/c'], false, '{"status":"ok","id":"'],
  ['Fastly: keys', '/service/one/purge', undefined, { 'Surrogate-Key': 'a b' }, ['/a', '/b'], false, '{"a":"'],
  ['Fastly: keys in a body', '/service/one/purge', '{"surrogate_keys":["a","b"]}', {}, ['/a', '/b'], false, '"b":"'],
  ['Fastly: softly', '/service/one/purge/a', undefined, { 'Fastly-Soft-Purge': '1' }, ['/a'], true, '"ok"'],
  ['Fastly: all, never softly', '/service/one/purge_all', undefined, { 'Fastly-Soft-Purge': '1' }, pages, false, '"ok"'],
  ['Fastly: a URL', '/purge/one.test/blog/d?x=1', undefined, {}, ['/blog/d?x=1'], false, '"ok"'],
  ['Fastly: a URL, encoded', '/purge/one.test%2Fblog%2Fd%3Fx%3D1', undefined, {}, ['/blog/d?x=1'], false, '"ok"'],
  ['Cloudflare: tags', cf, '{"tags":["a","B"]}', {}, ['/a', '/b'], false, '{"success":true,"errors":[],"messages":['],
  ['Cloudflare: files', cf, '{"files":["http://one.test/a",{"url":"https://one.test/b","headers":{"Origin":"https://x.test"}}]}', {}, ['/a', '/b'], false, '"result":{"id":"one"}}'],
  ['Cloudflare: prefixes', cf, '{"prefixes":["one.test/blog","https://one.test/none/"]}', {}, ['/blog/c', '/blog/d?x=1'], false, '"success":true'],
  ['Cloudflare: hosts', '/client/v4/zones/0123456789abcdef/purge_cache', '{"hosts":["one.test"]}', {}, pages, false, '"success":true'],
  ['Cloudflare: everything', cf, '{"purge_everything":true}', {}, pages, false, '"success":true'],
  ['Cloudflare: several', cf, '{"tags":["a"],"prefixes":["one.test/blog/c"]}', {}, ['/a', '/blog/c'], false, '"success":true'],
  ['Cloudflare: softly', cf.replace('purge', 'invalidate'), '{"tags":["a"]}', {}, ['/a'], true, '"success":true'],
  ['Vercel: a list', vercel, '{"tags":["a","b"],"target":"production"}', {}, ['/a', '/b'], true, '{"purged":"site one: tags a, b (soft)"}'],
  ['Vercel: a text', vercel, '{"tags":"a, b"}', {}, ['/a', '/b'], true, '"purged"'],
  ['Vercel: deleted', drop, '{"tags":["a"],"revalidationDeadlineSeconds":10}', {}, ['/a'], false, '"purged"'],
  ['PURGE with Fastly-Key', null, undefined, { host: 'one.test', authorization: '', 'Fastly-Key': token }, ['/blog/c'], false, 'Purged site one: URL /blog/c'],
];
// [target, body, fields, status, the answer has]
const bad = [
  [vercel, `{"tags":"${'a,'.repeat(10000)}a"}`, {}, 413, 'more than 10000 tags'],
  ['/service/one/purge', '{}', {}, 400, '{"msg":"'], ['/service/one/purge/%20', undefined, {}, 400, 'the key is empty'], ['/service/one/purge', '{"surrogate_keys":[]}', {}, 400, '1 to 256 keys'], ['/service/one/purge', undefined, {}, 400, 'the body is empty'],
  ['/service/one/purge', undefined, { 'Surrogate-Key': Array.from({ length: 257 }, (_, i) => `k${i}`).join(' ') }, 400, '256'], ['/service/one/purge_all/x', undefined, {}, 404, 'nothing is here'],
  ['/service/other/purge_all', undefined, {}, 404, "write a site's name as the service"], ['/service/one', undefined, {}, 404, 'nothing is here'], ['/purge/', undefined, {}, 400, '{"msg":"'],
  ['/purge/three.test/a', undefined, {}, 404, 'no site has the host'], ['/purge/one.test/*', undefined, {}, 400, 'no pattern'],
  [cf, '{}', {}, 400, '"success":false'], [cf, '{"purge_everything":false}', {}, 400, 'must be true'], [cf, '{"tags":[]}', {}, 400, 'name something'], [cf, '{"files":[]}', {}, 400, 'name something'],
  [cf, '{"tags":["a"],"purge_everything":true}', {}, 400, 'stands alone'], [cf, '{"tag":["a"]}', {}, 400, 'unknown member'], [cf, '{"files":[{"uri":"x"}]}', {}, 400, 'files[0]'], [cf, '{"prefixes":["two.test/"]}', {}, 400, "belongs to the site two"],
  [cf, '{"hosts":["one.test/a"]}', {}, 400, 'is no host'], [cf, '{"prefixes":["one.test/a?b=1"]}', {}, 400, 'has a query'], [cf, '{"prefixes":[""]}', {}, 400, 'prefixes[0]'], [cf, 'no', {}, 400, 'not good JSON'], [cf, '[]', {}, 400, 'JSON object'],
  ['/client/v4/zones/other/purge_cache', '{"tags":["a"]}', {}, 404, "write a site's name as the zone"], ['/client/v4/zones/one/settings', '{}', {}, 404, '"success":false'],
  ['/client/v4/zones/one/environments/e/purge_cache', '{"tags":["a"]}', {}, 404, '"success":false'], [cf, '{"tags":["a"]}', { authorization: 'Bearer wrong' }, 401, '"code":10000'],
  [cf, '{"tags":["a"]}', { authorization: '', 'X-Auth-Email': 'a@b.test', 'X-Auth-Key': 'wrong' }, 401, '"code":10000'], ['/service/one/purge_all', undefined, { authorization: '', 'Fastly-Key': 'wrong' }, 401, '{"msg":"'],
  ['/service/one/purge_all', undefined, { authorization: '' }, 401, '{"msg":"'], [vercel, '{"tags":[]}', {}, 400, '{"error":{"code":"bad_request"'], [vercel, '{"tags":" , "}', {}, 400, 'names none'], [vercel, '{"tag":"a"}', {}, 400, 'unknown member'],
  [vercel, '{"tags":["a"]}', { authorization: 'Bearer x' }, 401, '{"error":{"code":"not_authorized"'], ['/v1/edge-cache/invalidate-by-tags', '{"tags":["a"]}', {}, 404, 'projectIdOrName'], ['/v1/edge-cache/invalidate-by-src-images?projectIdOrName=one', '{"srcImages":["a"]}', {}, 404, 'nothing is here'],
];
await scenario({ answer, yaml }, async ({ ask, cases, freshet }) => {
  const state = async (host) => {
    const gone = [], stale = [];
    for (const p of pages) {
      const s = (await ask(p, { Host: host })).fields['cache-status'];
      if (!s.startsWith('freshet; hit')) gone.push(p);
      else if (/ttl=(-|0)/.test(s)) stale.push(p);
    }
    await freshet.settle();
    return { gone: gone.join(' '), stale: stale.join(' ') };
  };
  await state('two.test');
  for (const [what, target, body, fields, gone, soft, has] of good) {
    await cases.check(what, async () => {
      await state('one.test');
      const r = await freshet.api(target ? 'POST' : 'PURGE', target ?? '/blog/c', body, fields);
      equal(r.status, 200, r.text);
      check(r.text.includes(has), r.text);
      if (target) JSON.parse(r.text);
      const s = await state('one.test');
      equal(s[soft ? 'stale' : 'gone'], gone.join(' '), soft ? 'stale' : 'gone');
      equal(s[soft ? 'gone' : 'stale'], '', soft ? 'gone' : 'stale');
      equal((await state('two.test')).gone, '', 'of the other site');
    });
  }
  await state('one.test');
  for (const [target, body, fields, status, has] of bad) {
    await cases.check(`${target} ${body ?? ''} ${JSON.stringify(fields).slice(0, 60)} is refused`, async () => {
      const r = await freshet.api('POST', target, body, fields);
      equal(r.status, status, r.text);
      check(r.text.includes(has), r.text);
      JSON.parse(r.text);
      const s = await state('one.test');
      equal(s.gone + s.stale, '', 'purged');
    });
  }
  await cases.check('by POST alone', async () => {
    for (const [method, target] of [['GET', cf], ['PUT', '/service/one/purge_all'], ['DELETE', vercel]]) equal((await freshet.api(method, target, undefined)).status, 405);
  });
  await cases.check('the log says which API it was', () => check(/site one: everything \(sequence \d+, Cloudflare's API\)/.test(freshet.log()), freshet.log()));
  await cases.check('on the public listener these are paths of the site', async () => {
    check((await ask('/service/one/purge_all', { Host: 'one.test', 'Fastly-Key': token }, { method: 'POST' })).body.startsWith('page'), 'the origin answers');
    equal((await state('one.test')).gone, '');
  });
});
