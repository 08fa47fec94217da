// Whoever is logged in, sees drafts or has entered something is never answered from the cache and never fills it; others collapse and
// hit beside him. An asset is the same for him as for all.
// CACHING.md 2.14
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const minute = { 'Cache-Control': 's-maxage=60' };
const forever = { 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': 'text/javascript' };
const held = [];
let n = 0, rule = 'query=a', hold_his = false, failing = false;
const answer = async (r) => {
  const who = r.fields.cookie ?? 'nobody';
  if (r.target === '/slow' && who === 'nobody') await new Promise((release) => held.push(release));
  if (r.target.startsWith('/rule')) {
    if (hold_his && who !== 'nobody') await new Promise((release) => held.push(release));
    return reply(`${++n} for ${who}`, { ...minute, 'Netlify-Vary': rule });
  }
  if (r.target === '/assets/fails' && failing) return reply('down', {}, '503 Service Unavailable');
  if (r.target === '/assets/fails') return reply('up', { 'CDN-Cache-Control': 'max-age=60, stale-if-error=600' });
  if (r.target.includes('.js')) return reply(`script ${++n}`, forever);
  if (r.target.includes('latest.json')) return reply(`${++n}`, { ...forever, 'Content-Type': 'application/json' });
  return reply(`${++n} for ${who}`, minute);
};
const yaml = (url) => `sites:\n  shop:\n    hosts: [test]\n    origin: ${url}\n  own:\n    hosts: [own.test]\n    origin: ${url}\n` +
  '    bypass_cookies: [member, "staff_*"]\n    asset_prefixes: [/build/]\n  open:\n    hosts: [open.test]\n' +
  `    origin: ${url}\n    bypass_cookies: []\n  book:\n    hosts: [book.test]\n    origin: ${url}\n    profile: rfc9111\n` +
  `  none:\n    hosts: [none.test]\n    origin: ${url}\n    bypass_cookies: ["*"]\n`;
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];
  const somebody = [
    '__prerender_bypass=1', '__next_preview_data=x', 'wordpress_logged_in_0123456789abcdef=admin%7C1', 'wp-postpass_0123=x',
    'comment_author_0123=Bob', 'woocommerce_items_in_cart=1', 'enwikiUserID=7', 'SESS0123456789=x', 'SSESS0123456789=x',
    'abc_identity=x', 'ghost-members-ssr=x', '_secure_customer_sig=x', 'sb-xyz-auth-token=x', '__Secure-next-auth.session-token=x',
  ];
  await cases.check('a page that is stored is not his', async () => {
    const first = await ask('/');
    check(/stored/.test(status(first)), status(first));
    for (const cookie of somebody) {
      const r = await ask('/', { Cookie: `a=1; ${cookie}; z=2` });
      equal(status(r), 'freshet; fwd=bypass; detail=bypass-cookie', cookie);
      check(r.body.endsWith(` for a=1; ${cookie}; z=2`), `${cookie}: ${r.body}`);
    }
    const again = await ask('/');
    equal(again.body, first.body, 'the page of all others');
    check(/; hit/.test(status(again)), status(again));
  });
  await cases.check('a cold page is not filled by him', async () => {
    for (const [i, cookie] of somebody.entries()) {
      await ask(`/cold/${i}`, { Cookie: cookie });
      const r = await ask(`/cold/${i}`);
      check(/fwd=uri-miss; stored/.test(status(r)) && r.body.endsWith('for nobody'), `${cookie}: ${status(r)} ${r.body}`);
    }
  });
  await cases.check('names that look alike are nobody', async () => {
    await ask('/alike');
    for (const cookie of ['wordpress_test_cookie=WP', 'x__prerender_bypass=1', '__PRERENDER_BYPASS=1', 'wp-postpass=1', 'a=__prerender_bypass', '_gax=1'])
      check(/; hit/.test(status(await ask('/alike', { Cookie: cookie }))), cookie);
  });
  await cases.check('in any line, at any place', async () => {
    for (const lines of [['a=1', 'wp-postpass_x=1'], [`${'c=1; '.repeat(100)}wp-postpass_x=1`]])
      equal(status(await ask('/', [...lines.map((v) => ['Cookie', v])])), 'freshet; fwd=bypass; detail=bypass-cookie', lines.join('|').slice(0, 30));
    equal(status(await ask('/', { Cookie: 'c=1; '.repeat(200) })), 'freshet; fwd=bypass; detail=bypass-cookie', 'more than are looked at');
  });
  await cases.check('others collapse beside him', async () => {
    const before = origin.requests.length;
    const all = Array.from({ length: 20 }, () => ask('/slow'));
    await soon(() => held.length === 1, 5000);
    check((await ask('/slow', { Cookie: 'wp-postpass_x=1' })).body.endsWith('for wp-postpass_x=1'), 'he is answered at once');
    held.splice(0).forEach((release) => release());
    const bodies = new Set((await Promise.all(all)).map((r) => r.body));
    equal([...bodies].length, 1, 'one page for all');
    equal(origin.requests.length - before, 2, 'fetches');
  });
  await cases.check('HEAD, a range and a condition pass as well', async () => {
    await ask('/');
    for (const [method, fields] of [['HEAD', {}], ['GET', { Range: 'bytes=0-3' }], ['GET', { 'If-None-Match': '"x"' }]]) {
      const r = await ask('/', { Cookie: 'wp-postpass_x=1', ...fields }, { method });
      equal(status(r), 'freshet; fwd=bypass; detail=bypass-cookie', method);
      equal(origin.requests.at(-1).fields[Object.keys(fields)[0]?.toLowerCase()], Object.values(fields)[0]);
    }
  });
  await cases.check('an asset is the same for him', async () => {
    const his = { Cookie: '__prerender_bypass=1' };
    await ask('/other/a.js');
    check(/; hit/.test(status(await ask('/other/a.js', his))), 'stored for others: a hit');
    equal(status(await ask('/other/b.js', his)), 'freshet; fwd=bypass; detail=bypass-cookie', 'outside of a build he does not fill the cache');
    check(/fwd=uri-miss; stored/.test(status(await ask('/_next/static/chunks/c.js', his))), 'below a prefix he does');
    check(/; hit/.test(status(await ask('/_next/static/chunks/c.js'))), 'and it is for all');
    check(/stored/.test(status(await ask('/base/_next/static/chunks/c.js', his))), 'below a folder too');
    for (const path of ['/_nuxt/builds/latest.json', '/assets/report'])
      equal(status(await ask(path, his)), 'freshet; fwd=uri-miss; detail=bypass-cookie', `${path} is none`);
    await ask('/assets/report');
    equal(status(await ask('/assets/report', his)), 'freshet; fwd=bypass; detail=bypass-cookie', 'a page below a prefix');
  });
  await cases.check('a page below a prefix is not his either when it has expired, nor when the origin fails', async () => {
    const his = { Cookie: 'wp-postpass_x=1' };
    for (const path of ['/assets/dash', '/assets/fails']) await ask(path);
    await freshet.advance('70s');
    const r = await ask('/assets/dash', his);
    check(/bypass-cookie/.test(status(r)) && r.body.endsWith('for wp-postpass_x=1'), `${status(r)} ${r.body}`);
    failing = true;
    const failed = await ask('/assets/fails', his);
    failing = false;
    equal(`${failed.status} ${failed.body}`, '503 down');
  });
  await cases.check('a rule that changes while he is away at the origin', async () => {
    for (let i = 0; i < 2; i++) await ask('/rule?a=1&b=2');
    hold_his = true;
    const his = ask('/rule?a=1&b=2', { Cookie: 'wp-postpass_x=1' });
    await soon(() => held.length === 1, 5000);
    rule = 'query=a|b';
    await ask('/rule?a=9');
    held.splice(0).forEach((release) => release());
    hold_his = false;
    check((await his).body.endsWith('for wp-postpass_x=1'), 'he gets his answer');
  });
  await cases.check('names and prefixes of the site', async () => {
    const of = async (path, cookie) => status(await ask(path, { Host: 'own.test', Cookie: cookie }));
    equal(await of('/p', 'member=1'), 'freshet; fwd=bypass; detail=bypass-cookie');
    equal(await of('/p', 'staff_x=1'), 'freshet; fwd=bypass; detail=bypass-cookie');
    equal(await of('/p', 'wp-postpass_x=1'), 'freshet; fwd=uri-miss; detail=unkeyed-cookie');
    check(/fwd=uri-miss; stored/.test(await of('/build/a.js', 'member=1')), 'its own prefix');
    equal(await of('/_next/static/a.js', 'member=1'), 'freshet; fwd=bypass; detail=bypass-cookie');
  });
  await cases.check('none is bypassed: with an empty list, and in rfc9111', async () => {
    for (const host of ['open.test', 'book.test']) {
      await ask('/q', { Host: host });
      check(/; hit/.test(status(await ask('/q', { Host: host, Cookie: 'wp-postpass_x=1' }))), host);
    }
  });
  await cases.check('* means any cookie', async () => {
    await ask('/q', { Host: 'none.test' });
    equal(status(await ask('/q', { Host: 'none.test', Cookie: 'x=1' })), 'freshet; fwd=bypass; detail=bypass-cookie');
    check(/; hit/.test(status(await ask('/q', { Host: 'none.test' }))), 'none is a hit');
  });
  await cases.check('only-if-cached is not for him', async () => equal((await ask('/', { Cookie: 'wp-postpass_x=1', 'Cache-Control': 'only-if-cached' })).status, 504));
  await cases.check('explain says so', async () => {
    const facts = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/')}&header=${encodeURIComponent('Cookie: a=1; wp-postpass_x=1')}`)).text);
    equal(`${facts.outcome} ${facts.reason} ${facts.bypass_cookie}`, 'pass bypass-cookie wp-postpass_*');
    const many = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/')}&header=${encodeURIComponent(`Cookie: a=1${';'.repeat(200)}`)}`)).text);
    equal(`${many.outcome} ${many.bypass_cookie}`, 'pass more cookies than are looked at', 'counted by semicolons, as for the request');
  });
});
