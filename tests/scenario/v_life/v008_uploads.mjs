// At shutdown uploads that the origin does not take may go on until drain_timeout, then they are cut, and the process ends with status 0.
// scenarios V1, L3
import { setTimeout as pause } from 'node:timers/promises';
import { equal, scenario } from '../lib.mjs';

const size = 64 << 20;
const block = Buffer.alloc(1 << 16, 'y');
// Fills all buffers on the way; there is no event for "nothing moves any more", and nothing below depends on its being so.
async function fill(socket) {
  for (;;) {
    if (socket.write(block)) continue;
    const drained = new Promise((r) => socket.once('drain', () => r(true)));
    if (!await Promise.race([drained, pause(300, false)])) return;
  }
}
await scenario({ answer: () => null, flags: ['--drain-timeout', '60s', '--body-timeout', '1h', '--first-byte-timeout', '1h'] }, async ({ connect, cases, freshet, origin }) => {
  origin.server.removeAllListeners('connection');
  origin.server.on('connection', (s) => {
    s.on('error', () => {});
    s.pause(); // for good
  });
  const clients = [connect(), connect(), connect()];
  for (const c of clients) await c.send(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`);
  await freshet.until('fetches', '==', 3);
  await Promise.all(clients.map((c) => fill(c.socket)));
  freshet.signal('TERM');
  await connect().closed(); // nobody is let in: the worker knows
  await freshet.advance('61s');
  for (const c of clients) await cases.check('it is cut at the deadline', () => c.closed());
  await cases.check('status 0', async () => equal(await freshet.status(), '0'));
});
