// An upgraded connection is a tunnel both ways, is never stored or joined, holds nobody up, and bypasses a stored page.
// scenarios M1, M4, CACHING.md 7
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => (r.fields.upgrade === 'websocket'
  ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nCache-Control: max-age=60\r\n\r\nhello from the origin'
  : reply('page', { 'Cache-Control': 'max-age=60' }));
const ws = 'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n';
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, ask, cases, freshet, origin }) => {
  equal((await ask('/ws')).body, 'page');
  const tunnels = [connect(), connect()];
  for (const t of tunnels) {
    await t.send(ws);
    await cases.check('101 and the first bytes', async () => {
      await t.when('101', () => t.text.includes('hello from the origin'));
      const [r] = t.responses();
      equal(r.status, 101);
      equal(r.fields.upgrade.toLowerCase(), 'websocket');
      check(/upgrade/i.test(r.fields.connection), `Connection: ${r.fields.connection}`);
      equal(r.fields['sec-websocket-accept'], 'x');
    });
  }
  await cases.check('each has his own', () => equal(origin.requests.length, 3));
  await cases.check('the origin was asked to upgrade', () => {
    const r = origin.requests[1];
    equal(r.fields['sec-websocket-key'], 'x');
    check(/upgrade/i.test(r.fields.connection), `Connection: ${r.fields.connection}`);
  });
  await cases.check('the stored page is still one', async () => check(/^freshet; hit/.test((await ask('/ws')).fields['cache-status']), 'a miss'));
  const sockets = [...origin.sockets].filter((s) => s.bytesWritten > 0).slice(-2);
  await cases.check('bytes go both ways', async () => {
    const seen = sockets.map((s) => {
      s.removeAllListeners('data');
      return new Promise((r) => {
        let text = '';
        s.on('data', (d) => (text += d).length >= 100_004 && r(text));
      });
    });
    for (const t of tunnels) await t.send('ping' + 'x'.repeat(100_000));
    for (const p of seen) equal((await p).slice(0, 4), 'ping');
    for (const s of sockets) s.write('pong' + 'y'.repeat(100_000));
    for (const t of tunnels) await t.when('pong', () => t.text.includes('pong' + 'y'.repeat(100_000)));
  });
  await cases.check('the client ends it', async () => {
    const ended = Promise.race(sockets.map((s) => new Promise((r) => s.once('end', r))));
    tunnels[0].socket.end();
    await ended;
    tunnels[0].close();
  });
  await cases.check('the origin ends it', async () => {
    for (const s of sockets) s.end('bye');
    await tunnels[1].when('bye', () => tunnels[1].text.endsWith('bye'));
    await tunnels[1].closed();
    tunnels[1].close();
  });
  await freshet.settle();
});
