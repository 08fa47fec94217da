// What costs us more than the client ends its connection of HTTP/2 with ENHANCE_YOUR_CALM, and reaches the origin no more often than it must:
// little processor time, little memory, a counter. What smuggles is reset, and the origin sees nothing of it.
// scenarios S6, U4, U6, U7, U8; hostile h2-01 to h2-04, h2-09 to h2-14
import { check, equal, gate, reply, scenario } from '../lib.mjs';
import { Frames, block, frame, head, ping, reset, settings, type, window_update } from '../h2.mjs';
import fs from 'node:fs';

const end = gate();
const answer = (r) => (r.target.startsWith('/wait') ? end.opened.then(() => reply('')) : reply('x'.repeat(10_000), { 'CDN-Cache-Control': 'max-age=600' }));
await scenario({ answer, flags: ['--http2-clear', '--origin-connections', '100'] }, async ({ ask, cases, freshet, origin }) => {
  await ask('/page');
  const pid = +freshet.note('pid');
  // Of the whole process, in clock ticks of 10 ms.
  const ticks = () => fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ').slice(11, 13).reduce((n, t) => n + +t, 0);
  const quiet = async (c) => {
    await c.closed();
    await freshet.until('requests_open', '==', 0);
  };
  const floods = {
    'rapid reset (CVE-2023-44487)': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, head(`/wait/${i}`)), reset(2 * i + 1)],
    'rapid reset of one page': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, head('/wait')), reset(2 * i + 1)],
    'resets that we send (CVE-2025-8671): a window of 0': (c, i) => [frame(type.HEADERS, 4, 2 * i + 1, head('/wait')), window_update(2 * i + 1, 0)],
    'resets that we send: DATA behind the end': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, head('/wait')), frame(type.DATA, 0, 2 * i + 1, 'x')],
    'malformed heads': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, head('/', { connection: 'close' }))],
    'more streams than may be': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, head('/wait'))],
    'SETTINGS (CVE-2019-9515)': () => [settings()],
    'PING (CVE-2019-9512)': () => [ping()],
    'PRIORITY': () => [frame(type.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 9]))],
    'PRIORITY_UPDATE': (c, i) => [frame(type.PRIORITY_UPDATE, 0, 0, Buffer.concat([Buffer.from([0, 0, i >> 8, (i & 254) + 1]), Buffer.from('u=1')]))],
    'windows of one byte (CVE-2019-9511)': () => [window_update(0, 1)],
    'empty DATA (CVE-2019-9518)': (c, i) => [...(i ? [] : [frame(type.HEADERS, 4, 1, head('/wait', {}, { method: 'POST' }))]), frame(type.DATA, 0, 1)],
    'unknown frames': () => [frame(0xbb, 0, 0, 'x')],
    'CONTINUATION (CVE-2024-27316)': (c, i) => [i ? frame(type.CONTINUATION, 0, 1, block([['x', 'y']])) : frame(type.HEADERS, 1, 1, head('/'))],
    'an HPACK bomb (CVE-2016-6581)': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, Buffer.concat([head('/'), i ? Buffer.alloc(0) : Buffer.concat(
      [Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(0x7f + 0x21 + 0x1e * 128, 0x61)]), Buffer.alloc(2000, 0xbe)]))],
    'entries of the HPACK table that push each other out': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, Buffer.concat([head('/wait'),
      ...Array.from({ length: 3000 }, (_, k) => Buffer.from([0x40, 1, 0x78, 1, 0x61 + (k % 26)]))]))],
    'changes of the HPACK table\'s size': (c, i) => [frame(type.HEADERS, 5, 2 * i + 1, Buffer.concat([Buffer.from([0x20, 0x3f, 0xe1, 0x1f]), head('/wait')]))],
  };
  const { overhead_bytes } = await freshet.gauges();
  for (const [name, make] of Object.entries(floods))
    await cases.check(name, async () => {
      const before = await freshet.gauges(), cpu = ticks();
      const c = new Frames('front', { opens: false });
      const all = [];
      for (let i = 0; i < (/push/.test(name) ? 300 : 5000); i++) all.push(...make(c, i));
      c.send(Buffer.concat(all)).catch(() => {});
      await c.when('the end', () => c.goaway.length || c.ended);
      equal(c.goaway.at(-1)?.code, 'ENHANCE_YOUR_CALM');
      check(c.goaway.at(-1).text.length > 0, 'debug data');
      await quiet(c);
      c.close();
      const after = await freshet.gauges();
      equal(after.http2_calmed_total, before.http2_calmed_total + 1);
      check(after.origin_requests - before.origin_requests <= 400, `${after.origin_requests - before.origin_requests} requests to the origin`);
      check(ticks() - cpu < 300, `${(ticks() - cpu) * 10} ms of processor time`);
      // A hundred streams, and a hundred requests to the origin, have some 6 MB.
      check(after.overhead_high_bytes - overhead_bytes < 16 << 20, `${after.overhead_high_bytes - overhead_bytes} bytes more`);
    });
  await cases.check('it is said in the log, not for each', async () => {
    await freshet.saying('http2: the connection of client .* ends with ENHANCE_YOUR_CALM');
    check(freshet.log().split('ENHANCE_YOUR_CALM').length < 12, 'a valve');
  });
  // Hostile tables, HTTP/2 to HTTP/1.1.
  const seen = origin.requests.length;
  const smuggled = {
    'Content-Length above the DATA': [[['content-length', '10']], 5],
    'Content-Length below the DATA': [[['content-length', '3']], 5],
    'Content-Length 0 with DATA': [[['content-length', '0']], 5],
    'two Content-Length': [[['content-length', '5'], ['content-length', '6']], 5],
    'Transfer-Encoding': [[['transfer-encoding', 'chunked']], 5],
    'Connection': [[['connection', 'keep-alive']]],
    'Keep-Alive': [[['keep-alive', '1']]],
    'Upgrade': [[['upgrade', 'websocket']]],
    'Proxy-Connection': [[['proxy-connection', 'close']]],
    'TE': [[['te', 'gzip']]],
    'CR LF in a value': [[['x', 'a\r\nX: b']]],
    'LF in a value': [[['x', 'a\nb']]],
    'NUL in a value': [[['x', 'a\0b']]],
    'a space at the end of a value': [[['x', 'a ']]],
    'an upper-case name': [[['X', 'a']]],
    'a colon in a name': [[['x:y', 'a']]],
    'a space in a name': [[['x y', 'a']]],
    'CR LF in a name': [[['x\r\ny', 'a']]],
    'an empty name': [[['', 'a']]],
    'a pseudo-field behind others': [[['x', 'a'], [':path', '/b']]],
    'an unknown pseudo-field': [[[':x', 'a']]],
  };
  for (const [name, [fields, bytes]] of Object.entries(smuggled))
    await cases.check(name, async () => {
      const c = new Frames('front');
      const id = c.request('/pass', fields, { method: bytes ? 'POST' : 'GET', ends: !bytes });
      if (bytes) c.data(id, bytes, true);
      await c.whole(id);
      equal(c.stream(id).reset, 'PROTOCOL_ERROR');
      equal((await c.get('/page')).status, 200);
      c.close();
    });
  for (const [name, pseudo] of Object.entries({ 'an empty path': [':path', ''], 'a request line as path': [':path', '/ HTTP/1.1\r\nX: y'], 'a path with a space': [':path', '/a b'],
    'a path without /': [':path', 'a'], 'a request line as method': [':method', 'GET / HTTP/1.1'], 'a URL as scheme': [':scheme', 'http://x/'],
    'a path in the authority': [':authority', 'test/x'], 'a user in the authority': [':authority', 'a@test'], 'CR in the authority': [':authority', 'test\r'] }))
    await cases.check(name, async () => {
      const c = new Frames('front');
      const fields = [[':method', 'GET'], [':scheme', 'http'], [':path', '/pass'], [':authority', 'test']].map((f) => (f[0] === pseudo[0] ? pseudo : f));
      c.send(frame(type.HEADERS, 5, 1, block(fields)));
      await c.whole(1);
      equal(c.stream(1).reset, 'PROTOCOL_ERROR');
      c.close();
    });
  await cases.check('the origin has seen no whole request of these', () => {
    const some = origin.requests.slice(seen).filter((r) => r.target !== '/page');
    equal(some.map((r) => r.line).join(), '');
  });
  end.open();
  await freshet.until('connections', '==', 0, 'requests_open', '==', 0);
});
