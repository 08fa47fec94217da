// WebSocket over HTTP/2 (RFC 8441): an extended CONNECT is an upgrade at the origin, and its stream a tunnel both ways. An origin that does
// not upgrade is no tunnel.
import { check, equal, reply, scenario, soon } from '../lib.mjs';
import { Frames, type } from '../h2.mjs';

const answer = (r) => {
  if (r.target === '/plain') return reply('no tunnel here');
  if (r.target === '/no') return reply('no', {}, '403 Forbidden');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${r.fields.upgrade}\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello`;
};
await scenario({ answer, flags: ['--http2-clear', '--tunnels', '3', '--tunnel-timeout', '1h'] }, async ({ cases, freshet, origin }) => {
  const connect = (options) => new Frames('front', options);
  const c = connect();
  const open = (path, protocol = 'websocket') => c.request(path, { 'sec-websocket-version': '13' }, { method: 'CONNECT', ends: false, more: [[':protocol', protocol]] });
  await c.when('SETTINGS', () => c.settings);
  equal(c.settings[8], 1, 'SETTINGS_ENABLE_CONNECT_PROTOCOL');
  const id = open('/ws');
  await cases.check('the head, and the first bytes', async () => {
    await c.when('hello', () => c.stream(id).body === 'hello');
    equal(c.stream(id).status, 200);
    equal(c.stream(id).fields['sec-websocket-protocol'], 'chat');
    for (const f of ['upgrade', 'connection', 'sec-websocket-accept']) equal(c.stream(id).fields[f], undefined, f);
    const r = origin.requests[0];
    equal(r.line, 'GET /ws HTTP/1.1');
    equal(r.fields.upgrade, 'websocket');
    equal(r.fields['sec-websocket-version'], '13');
    check(/^[A-Za-z0-9+/]{22}==$/.test(r.fields['sec-websocket-key']), `the key ${r.fields['sec-websocket-key']}`);
  });
  const socket = [...origin.sockets].at(-1);
  let got = '';
  socket.removeAllListeners('data');
  socket.on('data', (d) => (got += d.toString('latin1')));
  await cases.check('bytes go both ways, in order, as fast as the other side takes them', async () => {
    socket.pause();
    let sent = '';
    const pieces = Array.from({ length: 64 }, (_, i) => String.fromCharCode(65 + (i % 26)).repeat(4096));
    let window = 65_535, seen = 0;
    for (const p of pieces) {
      for (; seen < c.frames.length; seen++)
        if (c.frames[seen].type === type.WINDOW_UPDATE && c.frames[seen].id === id) window += c.frames[seen].payload.readUInt32BE(0);
      if (window < p.length) break;
      window -= p.length;
      sent += p;
      c.data(id, p);
      await c.pong();
    }
    socket.resume();
    await soon(() => got.length === sent.length);
    check(got === sent, 'the bytes');
    const down = 'y'.repeat(300_000);
    socket.write(down);
    await c.when('all of it', () => c.stream(id).body.length === 5 + down.length);
  });
  await cases.check('another stream goes on beside it', async () => equal((await c.get('/plain')).body, 'no tunnel here'));
  await cases.check('no upgrade, no tunnel', async () => {
    const plain = open('/plain');
    equal((await c.whole(plain)).status, 502);
    const no = open('/no');
    equal((await c.whole(no)).status, 403);
    const h2 = open('/plain', 'h2c'); // no way around the rules
    equal((await c.whole(h2)).status, 502);
    equal(origin.requests.at(-1).fields.upgrade, undefined);
  });
  await cases.check('only so many', async () => {
    const more = [open('/ws'), open('/ws')];
    await c.when('two', () => more.every((m) => c.stream(m).status === 200));
    const last = open('/ws');
    equal((await c.whole(last)).status, 503);
    c.send(Buffer.concat(more.map((m) => Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, m, 0, 0, 0, 8]))));
    await freshet.until('tunnels_open', '==', 1);
  });
  await cases.check('the origin ends its side, then the client', async () => {
    socket.end('bye');
    await c.whole(id);
    check(c.stream(id).body.endsWith('bye'), 'the last bytes');
    equal(c.stream(id).reset, undefined);
    const ended = new Promise((r) => socket.once('end', r));
    c.data(id, 'bye too', true);
    await ended;
    check(got.endsWith('bye too'), 'the last bytes');
    await freshet.until('tunnels_open', '==', 0);
  });
  await cases.check('silence ends it', async () => {
    const silent = open('/ws');
    await c.when('200', () => c.stream(silent).status === 200);
    await freshet.advance('59m');
    await freshet.meanwhile('1m', () => c.stream(silent).reset);
    await freshet.until('tunnels_open', '==', 0);
  });
  c.close();
});
