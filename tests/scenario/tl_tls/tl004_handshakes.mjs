// Handshakes have a time, count against the limit of an address, and hold up nobody: those that are slow, cut, garbage or plain HTTP end by themselves
// while others are served.
// scenarios S7
import { Raw, check, equal, reply, request, scenario, soon } from '../lib.mjs';
import { Secure, certificate, hello } from '../tls.mjs';

const flags = ['--https', '127.0.0.1:0', '--client-connections', '40', '--header-timeout', '30m', ...certificate('test', ['test'])];
await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=86400' }), flags }, async ({ cases, freshet }) => {
  const port = +/listening on 127\.0\.0\.1:(\d+) with TLS/.exec(freshet.log())[1];
  const where = { host: '127.0.0.1', port };
  const ask = async () => {
    const c = new Secure({ path: undefined, ...where, servername: 'test' });
    await c.send(request('/'));
    const r = (await c.answers(1))[0];
    c.close();
    return r;
  };
  await ask();
  const begun = await hello();
  await cases.check('slow ones end after header_timeout, and others are served meanwhile', async () => {
    const slow = Array.from({ length: 20 }, (_, i) => new Raw(where));
    for (const [i, c] of slow.entries()) await c.send(begun.subarray(0, i * 10));
    await freshet.until('tls_handshakes_open', '==', 20);
    check(/hit/.test((await ask()).fields['cache-status']), 'a hit');
    await freshet.advance('15m'); // far from the limit, however long the twenty took to come
    equal((await freshet.gauges()).tls_handshakes_open, 20);
    await freshet.advance('16m');
    for (const c of slow) await c.closed();
    await freshet.until('tls_handshakes_open', '==', 0);
    equal((await freshet.gauges()).tls_handshakes_failed_total, 20);
  });
  await cases.check('what is no TLS is ended, and a bad record gets an alert', async () => {
    for (const bytes of ['\0'.repeat(100), 'SSH-2.0-x\r\n', '\x16\x03\x01\x48\x01' + 'x'.repeat(50)]) {
      const c = new Raw(where);
      await c.send(bytes);
      await c.closed();
      equal(c.text.slice(0, 1), bytes[0] === '\x16' ? '\x15' : '');
    }
  });
  await cases.check('who asks in clear is told so', async () => {
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      const c = new Raw(where);
      await c.send(request('/', {}, { method }));
      const r = (await c.answers(1))[0];
      equal(r.status, 400);
      check(/write https:/.test(r.body), r.body);
      await c.closed();
    }
  });
  await cases.check('whoever leaves midway is forgotten', async () => {
    await freshet.until('tls_handshakes_open', '==', 0);
    let left = (await freshet.gauges()).tls_handshakes_failed_total;
    for (let i = 0; i < begun.length; i += 40, left++) {
      const c = new Raw(where);
      await c.send(begun.subarray(0, i + 1));
      c.close();
    }
    await freshet.until('tls_handshakes_failed_total', '==', left, 'tls_handshakes_open', '==', 0);
  });
  await cases.check('a client may have so many, whether they have shaken hands or not', async () => {
    const many = Array.from({ length: 60 }, () => new Raw(where));
    await soon(() => many.filter((c) => c.ended).length >= 20);
    await freshet.until('tls_handshakes_open', '==', 40);
    equal((await freshet.gauges()).client_connections_refused_total, 20);
    for (const c of many) c.close();
    await freshet.until('tls_handshakes_open', '==', 0);
    check(/hit/.test((await ask()).fields['cache-status']), 'and then it is served again');
  });
  await cases.check('a crowd shakes hands at once, and a visitor over plain HTTP is served among them', async () => {
    const crowd = Array.from({ length: 39 }, () => new Secure({ path: undefined, ...where, servername: 'test' }));
    const plain = new Raw('front');
    await plain.send(request('/'));
    await plain.answers(1);
    for (const c of crowd) check(await c.shaken, 'a handshake');
    for (const c of crowd) await c.send(request('/'));
    for (const c of crowd) equal((await c.answers(1))[0].status, 200);
    for (const c of [plain, ...crowd]) c.close();
  });
});
