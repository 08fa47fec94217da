// Over TLS a page is fetched once and is a hit from then on, bodies come whole both ways, and the origin is told that the visitor came by https;
// http and https are two pages.
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, address, certificate } from '../tls.mjs';

const big = 'x'.repeat(3_000_000);
const answer = (r) => {
  if (r.method === 'POST') return reply(`got ${r.body.length}`);
  return reply(r.target === '/big' ? big : `${r.target} by ${r.fields['x-forwarded-proto']}`, { 'Cache-Control': 'max-age=600' });
};
const flags = ['--https', address, '--trusted-proxies', 'unix', ...certificate('test', ['test'])];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const c = new Secure();
  let n = 0;
  const get = async (target, fields, options = {}) => {
    await c.send(request(target, fields, options));
    return (await c.answers(++n, Array(n - 1).fill('GET').concat(options.method ?? 'GET'))).at(-1);
  };
  await cases.check('a miss, then hits on one connection', async () => {
    equal((await get('/a')).body, '/a by https');
    for (let i = 0; i < 3; i++) check(/hit/.test((await get('/a')).fields['cache-status']), 'a hit');
    equal(origin.requests.length, 1);
  });
  await cases.check('http is another page', async () => {
    equal((await ask('/a')).body, '/a by http');
    check(/hit/.test((await ask('/a')).fields['cache-status']), 'a hit');
    equal(origin.requests.length, 2);
  });
  await cases.check('a trusted proxy in front may say what the visitor used', async () => {
    equal((await get('/proxied', { 'X-Forwarded-Proto': 'http' })).body, '/proxied by http');
    equal((await ask('/a', { 'X-Forwarded-Proto': 'https' })).body, '/a by https');
  });
  await cases.check('a large body, fetched and stored', async () => {
    equal((await get('/big')).body.length, big.length);
    const r = await get('/big');
    check(/hit/.test(r.fields['cache-status']), 'a hit');
    check(r.body === big, 'the bytes');
  });
  await cases.check('a large upload', async () => {
    equal((await get('/up', {}, { method: 'POST', body: big })).body, `got ${big.length}`);
  });
  await cases.check('HEAD and pipelined requests', async () => {
    const d = new Secure();
    await d.send(request('/a', {}, { method: 'HEAD' }) + request('/a') + request('/big'));
    const all = await d.answers(3, ['HEAD', 'GET', 'GET']);
    equal(all[1].body, '/a by https');
    equal(all[2].body.length, big.length);
    d.close();
  });
  await cases.check('the connection ends as it should', async () => {
    await c.send(request('/a', { Connection: 'close' }));
    await c.closed();
    equal(c.error, null);
    equal((await freshet.gauges()).tls_handshakes_failed_total, 0);
  });
});
