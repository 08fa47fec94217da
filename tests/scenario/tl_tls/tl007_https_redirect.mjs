// With https_redirect who comes in clear is sent to the same URL with https, whatever the method; challenges of ACME, and what a trusted proxy has
// had over TLS, are answered as they come. hsts is said by https alone, and the site's own field wins.
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, address, certificate } from '../tls.mjs';

certificate('test', ['test', 'other.test', 'plain.test']);
const yaml = (origin) => `https: "${address}"
trusted_proxies: unix
origin: "${origin}"
cert: test.pem
key: test.key
sites:
  one: {hosts: [test], https_redirect: true, hsts: 365d, purge_from: [unix]}
  two: {hosts: [other.test], https_redirect: true, hsts: 365d, hsts_subdomains: true, hsts_preload: true, rules: [{path: /old, redirect: /new}]}
  plain: {hosts: [plain.test]}`;
const answer = (r) => {
  if (r.target === '/own') return reply('own', { 'Cache-Control': 'max-age=600', 'strict-transport-security': 'max-age=7' });
  if (r.target === '/pass') return reply('pass');
  return reply(`${r.target} by ${r.fields['x-forwarded-proto']}`, { 'Cache-Control': 'max-age=600', ETag: '"e"' });
};
await scenario({ answer, yaml, flags: [] }, async ({ ask, cases, freshet, origin }) => {
  const by = async (target, fields, options = {}) => {
    const c = new Secure();
    await c.send(request(target, fields, options));
    const r = (await c.answers(1, [options.method])).at(-1);
    c.close();
    return r;
  };
  const hsts = (r) => r.fields['strict-transport-security'];
  await cases.check('each method is redirected, with host, path and query as they came', async () => {
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const r = await ask('/a%20b/%7Ec?x=1&utm_source=y', { Host: 'TEST:8080' }, { method, ...(/^P/.test(method) ? { body: 'x' } : {}) });
      equal(r.status, 308, method);
      equal(r.fields.location, 'https://test/a%20b/%7Ec?x=1&utm_source=y', method);
      equal(r.fields['cache-status'], 'freshet; detail=https-redirect');
      equal(hsts(r), undefined);
    }
    equal((await ask('/a', { Upgrade: 'websocket', Connection: 'Upgrade' })).status, 308);
    equal((await ask('http://test/abs?q')).fields.location, 'https://test/abs?q');
    equal(origin.requests.length, 0);
  });
  await cases.check('before the rules of a site', async () => {
    equal((await ask('/old', { Host: 'other.test' })).fields.location, 'https://other.test/old');
    equal((await by('/old', { Host: 'other.test' })).fields.location, '/new');
  });
  await cases.check('challenges of ACME are not, nor what has no URL, nor a purge', async () => {
    equal((await ask('/.well-known/acme-challenge/abc')).body, '/.well-known/acme-challenge/abc by http');
    equal((await ask('/.well-known/acme-challenge')).status, 308);
    equal((await ask('/.well-known/acme-challenge/../../a')).status, 308);
    equal((await ask('*', {}, { method: 'OPTIONS' })).status, 200);
    equal((await ask('/a', {}, { method: 'PURGE' })).status, 200);
  });
  await cases.check('what a trusted proxy had by https is not', async () => {
    const r = await ask('/proxied', { 'X-Forwarded-Proto': 'https' });
    equal(r.body, '/proxied by https');
    equal(hsts(r), 'max-age=31536000');
    equal((await by('/proxied', { 'X-Forwarded-Proto': 'http' })).status, 308);
  });
  await cases.check('a site that does not want it is served in clear', async () => {
    const r = await ask('/', { Host: 'plain.test' });
    equal(r.status, 200);
    equal(hsts(r), undefined);
    equal(hsts(await by('/', { Host: 'plain.test' })), undefined);
  });
  await cases.check('hsts on each answer by https: miss, hit, pass, 304, range, error, redirect', async () => {
    const year = 'max-age=31536000';
    for (const _ of [1, 2]) equal(hsts(await by('/a')), year);
    equal(hsts(await by('/pass')), year);
    equal(hsts(await by('/a', { Range: 'bytes=0-1' })), year);
    equal(hsts(await by('/%zz')), undefined); // nobody knows whose it is
    equal(hsts(await by('/a', { 'Cache-Control': 'only-if-cached' })), year);
    const other = 'max-age=31536000; includeSubDomains; preload';
    equal(hsts(await by('/a', { Host: 'other.test' })), other);
    equal(hsts(await by('/old', { Host: 'other.test' })), other);
    const unchanged = await by('/a', { 'If-None-Match': '"e"' });
    equal(unchanged.status, 304);
    equal(hsts(unchanged), year);
  });
  await cases.check("the site's own field wins", async () => {
    for (const _ of [1, 2]) equal(hsts(await by('/own')), 'max-age=7');
  });
  await cases.check('explain says so', async () => {
    const r = freshet.run('explain', 'http://test/a');
    check(/answered with 308 to https:\/\/test\/a, by the setting https_redirect/.test(r.stderr + r.stdout), r.stderr + r.stdout);
    equal(freshet.run('explain', 'https://test/a').status, 0);
  });
  await cases.check('the port of https is said when it is another', async () => {
    freshet.note('config.yaml', yaml(origin.url) + '\nhttps_port: 8443');
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
    equal((await ask('/a')).fields.location, 'https://test:8443/a');
  });
});
