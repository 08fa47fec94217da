// A body of a gigabyte passes through exactly, while the memory stays flat.
// scenarios L1
import fs from 'node:fs';
import { check, equal, scenario } from '../lib.mjs';

const size = 1 << 30;
const block = Buffer.alloc(1 << 20, 'x');
let socket;
await scenario({ answer: () => null }, async ({ connect, cases, freshet, origin }) => {
  origin.answer = async (r, o) => {
    const s = [...o.sockets].at(-1);
    s.write(`HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: ${size}\r\n\r\n`);
    for (let sent = 0; sent < size; sent += block.length) {
      if (!s.write(block)) await new Promise((resolve) => s.once('drain', resolve));
    }
    return null;
  };
  const rss = () => +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${freshet.note('pid')}/status`, 'utf8'))[1] / 1024;
  const before = rss();
  let most = 0;
  const c = connect();
  c.socket.removeAllListeners('data');
  let got = 0;
  let head = '';
  let end;
  const done = new Promise((r) => (end = r));
  c.socket.on('data', (d) => {
    if (head === '') {
      const i = d.indexOf('\r\n\r\n');
      head = d.subarray(0, i).toString();
      got -= i + 4;
    }
    got += d.length;
    if ((got & 0xffffff) < d.length) most = Math.max(most, rss());
    if (got >= size) end();
  });
  c.socket.on('close', end);
  await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await done;
  await cases.check('all bytes', () => equal(got, size));
  // The address sanitizer keeps 256 MB of what was freed.
  await cases.check('flat memory', () => check(most - before < 600, `${before} MB before, ${most} MB while`));
  c.close();
});
