// Rules do what the app does not say: each action, the first match of each, and what one visitor's header decides is no other's page.
// CACHING.md 8.1, 8.2, 8.3, 8.4
import { check, equal, reply, scenario } from '../lib.mjs';

let n = 0;
const said = {};
const answer = (r) => {
  const path = r.target.split('?')[0];
  const text = `${++n} ${r.fields['x-set'] ?? ''} ${r.fields.cookie ?? ''}`;
  if (path.startsWith('/said/')) return reply(text, { 'Cache-Control': 'private' });
  if (path === '/etag') return r.fields['if-none-match'] ? reply('', { ETag: '"1"', ...(said.now ? { 'Cache-Control': said.now } : {}) }, '304 Not Modified') : reply(text, { ETag: '"1"' });
  if (path === '/undo') {
    const fields = { ETag: '"1"', 'X-Mode': said.mode, 'Cache-Control': 'max-age=60' };
    return r.fields['if-none-match'] ? reply('', fields, '304 Not Modified') : reply(text, { ...fields, 'X-Powered-By': 'app', 'X-Kind': 'own' });
  }
  if (path.startsWith('/moved')) return reply(text, { Location: '/x' }, '302 Found');
  if (path.endsWith('.png')) return reply(text, { 'Content-Type': 'image/png', 'X-Powered-By': 'app' });
  return reply(text, { 'Content-Type': 'text/html; charset=utf-8', 'X-Powered-By': 'app' });
};
const yaml = (url) => `origin: ${url}
rules:
  - path: /products/*
    tags: ["product-{1}", all]
    cdn_cache_control: max-age=60
  - path: ["/cart/**", "!/cart/help"]
    bypass: true
  - path: /said/forced
    cdn_cache_control: max-age=60
  - path: ["/said/default", "/default", /moved, /etag]
    default_cdn_cache_control: max-age=60
  - header: "X-Plan: gold*"
    path: /plan
    set_header: "X-Set: gold"
  - path: [/plan, /cookie]
    cdn_cache_control: max-age=60
  - cookie: [beta=1]
    path: /cookie
    set_response_header: "X-Beta: yes"
  - path: /drop
    drop_cookie: ["a*"]
    bypass: true
  - query: draft
    bypass: true
  - content_type: image/*
    cdn_cache_control: max-age=60
    remove_response_header: X-Powered-By
    set_response_header: "X-Kind: picture"
  - path: /vary
    vary: "query=page"
    cdn_cache_control: max-age=60
  - path: "/old/**"
    redirect: "/new/{1}"
    redirect_status: 308
  - content_type: "Text/*"
    set_response_header: "X-Kind: text"
  - path: /undo
    response_header: "X-Mode: a"
    set_response_header: ["X-Kind: a", "X-New: a"]
    remove_response_header: X-Powered-By
    tags: mode-a
  - path: ["/close/**"]
    redirect: /close/d
  - host: "UPPER.Example"
    set_response_header: "X-Host: upper"
`;
await scenario({ yaml, answer }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];
  const hit = (r) => /; hit/.test(status(r));
  const twice = async (path, fields) => [await ask(path, fields), await ask(path, fields)][1];
  await cases.check('forced cache control, and a tag with a capture', async () => {
    check(hit(await twice('/products/7')), 'stored');
    check(hit(await twice('/products/8')), 'stored');
    await freshet.run('purge', '--tag', 'product-7');
    check(!hit(await ask('/products/7')), 'purged by its tag');
    check(hit(await ask('/products/8')), 'the other one not');
    await freshet.run('purge', '--tag', 'all');
    check(!hit(await ask('/products/8')), 'purged by the second tag');
    check(!hit(await twice('/products/7/x')), 'a * stays in its segment');
  });
  await cases.check('bypass, and what it does not cover', async () => {
    for (const path of ['/cart', '/cart/a/b', '/a?x=1&draft'])
      equal(status(await twice(path)), 'freshet; fwd=bypass; detail=bypass-rule', path);
    check(!/bypass/.test(status(await ask('/cart/help'))), 'excluded by !');
    check(!/bypass/.test(status(await ask('/cartoon'))), 'a segment ends at /');
  });
  await cases.check('forced counts more than private; the default less', async () => {
    check(hit(await twice('/said/forced')), 'forced');
    check(!hit(await twice('/said/default')), 'the origin has spoken');
    check(hit(await twice('/default')), 'the origin is silent');
    check(!hit(await twice('/moved')), 'a redirect, whose status no rule names');
  });
  await cases.check('what a header or a cookie decides is no other visitor\'s page', async () => {
    const gold = await twice('/plan', { 'X-Plan': 'gold-1' });
    check(hit(gold) && gold.body.includes('gold'), gold.body);
    const plain = await ask('/plan');
    check(!hit(plain) && !plain.body.includes('gold'), plain.body);
    check(hit(await ask('/plan', { 'X-Plan': 'silver' })), 'no rule matches: the common page');
    equal((await ask('/plan', { 'X-Plan': 'golden' })).body, gold.body, 'the same rules, the same page');
    const beta = await twice('/cookie', { Cookie: 'beta=1' });
    equal(beta.fields['x-beta'], 'yes');
    equal((await twice('/cookie')).fields['x-beta'], undefined);
    equal((await ask('/cookie', { Cookie: 'beta=1' })).fields['x-beta'], 'yes');
  });
  await cases.check('cookies to drop', async () => {
    await ask('/drop', { Cookie: 'a=1; b=2; abc=3' });
    equal(origin.requests.at(-1).fields.cookie, 'b=2');
  });
  await cases.check('the answer\'s type; the first rule for a header counts', async () => {
    const png = await twice('/x.png');
    check(hit(png), 'a picture is stored');
    equal(png.fields['x-kind'], 'picture');
    equal(png.fields['x-powered-by'], undefined);
    const html = await ask('/x.html');
    equal(html.fields['x-kind'], 'text');
    equal(html.fields['x-powered-by'], 'app');
  });
  await cases.check('vary', async () => {
    await ask('/vary?page=1&other=1');
    await ask('/vary?page=1');
    check(hit(await ask('/vary?page=1&other=2')), 'other does not count');
    check(!hit(await ask('/vary?page=2')), 'page does');
  });
  await cases.check('a default is confirmed by a 304 and stays a default', async () => {
    await ask('/etag');
    await freshet.run('purge', '--soft', '--url', 'http://test/etag');
    await ask('/etag');
    check(hit(await ask('/etag')), 'confirmed');
    said.now = 'private';
    await freshet.run('purge', '--soft', '--url', 'http://test/etag');
    await ask('/etag');
    check(!hit(await ask('/etag')), 'the origin has spoken: what a 304 says counts more than the default');
  });
  await cases.check('what a rule set does not outlive a 304 with which it matches no more', async () => {
    said.mode = 'a';
    const stored = await twice('/undo');
    check(hit(stored), 'stored');
    equal(`${stored.fields['x-kind']} ${stored.fields['x-new']} ${stored.fields['x-powered-by']}`, 'a a undefined');
    said.mode = 'b';
    await freshet.run('purge', '--soft', '--url', 'http://test/undo');
    await ask('/undo');
    await freshet.settle();
    const other = await ask('/undo');
    check(hit(other) && other.fields['x-mode'] === 'b', status(other));
    equal(`${other.fields['x-kind']} ${other.fields['x-new']} ${other.fields['x-powered-by']}`, 'own undefined app');
    said.mode = 'a';
    await freshet.run('purge', '--soft', '--url', 'http://test/undo');
    await ask('/undo');
    await freshet.settle();
    equal((await ask('/undo')).fields['x-kind'], 'a', 'and it may match again');
  });
  await cases.check('a redirect to the page itself is passed over', async () => {
    const moved = await ask('/close/x');
    equal(`${moved.status} ${moved.fields.location}`, '301 /close/d');
    equal((await ask('/close/d')).status, 200);
    equal((await ask('/close/d?x=1')).status, 200);
  });
  await cases.check('hosts have no case', async () => {
    equal((await ask('/h', { Host: 'Upper.example' })).fields['x-host'], 'upper');
    equal((await ask('/h', { Host: 'lower.example' })).fields['x-host'], undefined);
  });
  await cases.check('redirects', async () => {
    const r = await ask('/old/a/b?x=1');
    equal(r.status, 308);
    equal(r.fields.location, '/new/a/b?x=1');
    equal((await ask('/old//evil.example/')).fields.location, '/new/evil.example/');
    equal((await ask('/old/p', {}, { method: 'POST', body: 'x=1' })).status, 308);
    for (const [fields, options] of [[{}, {}], [{}, { method: 'POST', body: 'x=1' }], [{ Cookie: 'session_id=1; __prerender_bypass=1' }, {}]])
      equal(status(await ask('/old/p', fields, options)), 'freshet; detail=redirect-rule');
    equal((await ask('/old/a', {}, { method: 'HEAD' })).status, 308);
  });
  await cases.check('explain names rules and actions', async () => {
    const text = JSON.stringify(await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/cart/x')}`));
    check(text.includes('rule 2 of default') && text.includes('bypass'), text);
    const moved = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/old/a/b')}`);
    check(/is answered with 308 to \/new\/\S+, by rule \d+ of default; the origin is not asked/.test(moved.text), moved.text);
    const said = await freshet.run('explain', 'http://test/products/9');
    check(JSON.stringify(said).includes('rule 1 of default'), JSON.stringify(said));
  });
});
