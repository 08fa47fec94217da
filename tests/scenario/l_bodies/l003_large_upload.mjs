// An upload streams to the origin while it comes; what the origin does not read is not buffered.
// scenarios L3, D3 for uploads
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const size = 300 << 20;
const block = Buffer.alloc(1 << 20, 'y');
await scenario({ answer: () => null }, async ({ connect, cases, freshet, origin }) => {
  let got = 0;
  let head = '';
  let paused = true;
  let socket;
  origin.server.removeAllListeners('connection');
  origin.server.on('connection', (s) => {
    socket = s;
    s.on('error', () => {});
    s.on('data', (d) => {
      if (!head.includes('\r\n\r\n')) {
        head += d.toString('latin1');
        const i = head.indexOf('\r\n\r\n');
        if (i < 0) return;
        got = head.length - i - 4;
        head = head.slice(0, i + 4);
        if (paused) s.pause();
      } else {
        got += d.length;
      }
      if (got >= size) s.end(reply(`got ${got}`, { Connection: 'close' }));
    });
  });
  const rss = () => +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${freshet.note('pid')}/status`, 'utf8'))[1] / 1024;
  const before = rss();
  const c = connect();
  await c.send(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`);
  let sent = 0;
  // The origin does not read: what freshet and the kernel take is bounded.
  while (sent < size && c.socket.write(block)) sent += block.length;
  await freshet.until('fetches', '==', 1);
  await cases.check('the head arrives before the body is whole', async () => {
    await soon(() => socket && head.includes('\r\n\r\n'));
  });
  await cases.check('the backlog is not buffered', () => check(rss() - before < 100, `${rss() - before} MB`));
  paused = false;
  socket.resume();
  sent += block.length; // the one that did not fit is queued here
  while (sent < size) {
    if (!c.socket.write(block)) await new Promise((r) => c.socket.once('drain', r));
    sent += block.length;
  }
  await cases.check('all bytes arrive', async () => equal((await c.answers(1, [], 60_000))[0].body, `got ${size}`));
  await cases.check('the origin is told the length', () => check(new RegExp(`^content-length: ${size}\r$`, 'im').test(head), head));
  c.close();
});
