// The name that a visitor asks for decides which certificate it gets, ECDSA or RSA as it can; TLS 1.2 and 1.3 alone are spoken; a name without a
// certificate gets an alert, which is logged once; tickets bring visitors back to any worker.
// hostile h3-23
import { spawnSync } from 'node:child_process';
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, address, certificate, hands } from '../tls.mjs';

certificate('shop', ['shop.test', '*.shop.test']);
certificate('shop-rsa', ['shop.test', '*.shop.test'], { rsa: true });
certificate('blog', ['blog.test']);
const yaml = (origin) => `https: "${address}"
origin: "${origin}"
sites:
  shop: {hosts: [shop.test, "*.shop.test"], cert: [shop.pem, shop-rsa.pem], key: [shop.key, shop-rsa.key]}
  blog: {hosts: [blog.test], cert: blog.pem, key: blog.key}
  bare: {hosts: [bare.test]}
  numbers: {hosts: ["[2001:db8::1]", 192.0.2.1]}`;
await scenario({ answer: (r) => reply(r.fields.host), yaml, flags: ['--workers', '2'] }, async ({ cases, freshet }) => {
  await cases.check('each name has its certificate', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const only = { minVersion: version, maxVersion: version };
      equal((await hands({ host: 'blog.test', ...only })).name, 'blog');
      check(/^shop/.test((await hands({ host: 'www.shop.test', ...only })).name), 'a wildcard');
      equal((await hands({ host: 'SHOP.test', sigalgs: 'ECDSA+SHA256', ...only })).name, 'shop');
      equal((await hands({ host: 'shop.test', sigalgs: 'RSA-PSS+SHA256:RSA+SHA256', ...only })).name, 'shop-rsa');
      check(/^shop/.test((await hands({ host: '', ...only })).name), 'who names nobody gets the first');
      equal((await hands({ host: 'blog.test', ...only })).version, version);
      // Node refuses to send an address; others do.
      const { stdout } = spawnSync('openssl', ['s_client', '-unix', 'https', '-servername', '127.0.0.1'], { encoding: 'utf8', input: '' });
      check(/subject=CN = shop/.test(stdout), 'so does who names an address');
    }
  });
  await cases.check('explain says which one, also to who has an address alone', async () => {
    const of = async (host) => (await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent(`https://${host}/`)}`)).text;
    const file = async (host) => JSON.parse(await of(host)).certificates.map((c) => c.id.replace(/.*\//, '')).sort().join();
    equal(await file('blog.test:8443'), 'blog.pem');
    equal(await file('www.shop.test'), 'shop-rsa.pem,shop.pem');
    for (const host of ['[2001:db8::1]', '[2001:db8::1]:8443', '192.0.2.1']) equal(await file(host), 'shop-rsa.pem,shop.pem', host);
    equal(await file('bare.test'), '');
  });
  await cases.check('a name without a certificate gets an alert, logged once', async () => {
    for (let i = 0; i < 3; i++) equal((await hands({ host: 'bare.test' })).error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    equal((await hands({ host: 'other.test' })).error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    await freshet.saying('no certificate for "other.test"');
    equal(freshet.log().match(/tls: no certificate for "bare.test": who asks/g).length, 1);
    check(/warning: site bare: there is no certificate for bare.test/.test(freshet.log()), 'said at the start');
    await freshet.until('tls_handshakes_failed_total', '==', 4);
  });
  await cases.check('HTTP/1.1 is agreed to; who offers something else alone gets an alert', async () => {
    equal((await hands({ host: 'blog.test', ALPNProtocols: ['http/1.1'] })).protocol, 'http/1.1');
    equal((await hands({ host: 'blog.test', ALPNProtocols: ['http/1.1', 'h2'] })).protocol, 'h2', 'ours comes first');
    equal((await hands({ host: 'blog.test' })).protocol, false);
    equal((await hands({ host: 'blog.test', ALPNProtocols: ['imap'] })).error, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });
  await cases.check('our order of suites counts, but for a client without AES of its own', async () => {
    const suites = async (...names) => (await hands({ host: 'blog.test', minVersion: 'TLSv1.3', ciphers: names.map((n) => `TLS_${n}`).join(':') })).suite;
    equal(await suites('AES_256_GCM_SHA384', 'AES_128_GCM_SHA256', 'CHACHA20_POLY1305_SHA256'), 'TLS_AES_128_GCM_SHA256');
    equal(await suites('CHACHA20_POLY1305_SHA256', 'AES_128_GCM_SHA256'), 'TLS_CHACHA20_POLY1305_SHA256');
    equal(await suites('AES_256_GCM_SHA384'), 'TLS_AES_256_GCM_SHA384');
    const older = await hands({ host: 'blog.test', maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' });
    equal(older.suite, 'ECDHE-ECDSA-AES128-GCM-SHA256');
  });
  await cases.check('old versions and weak suites are refused', async () => {
    const weak = (o) => hands({ host: 'blog.test', ...o, ciphers: (o.ciphers ?? 'DEFAULT') + ':@SECLEVEL=0' });
    check((await weak({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })).error, 'TLS 1.1');
    for (const ciphers of ['AES128-SHA', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384', 'AES128-GCM-SHA256']) {
      check((await weak({ maxVersion: 'TLSv1.2', ciphers })).error, ciphers);
    }
  });
  await cases.check('a ticket brings a visitor back, whichever worker it meets', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const only = { host: 'blog.test', minVersion: version, maxVersion: version };
      let session;
      for (let i = 0; i < 6; i++) {
        const c = new Secure({ ...only, session });
        await c.send(request('/', { Host: 'blog.test' }));
        equal((await c.answers(1))[0].body, 'blog.test');
        equal(c.socket.isSessionReused(), i > 0, `${version}, visit ${i}`);
        session = c.session ?? session; // in TLS 1.2 the ticket is still good, so there is no new one
        c.close();
      }
    }
  });
});
