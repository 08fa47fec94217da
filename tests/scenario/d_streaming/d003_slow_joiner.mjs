// A reader that does not read slows neither the origin nor the others, and its backlog is not buffered for it.
// scenarios D3, S4
// also over tls
import fs from 'node:fs';
import { check, equal, scenario } from '../lib.mjs';

const size = 20_000_000;
const block = 'z'.repeat(100_000);
const answer = () => [`HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nContent-Length: ${size}\r\n\r\n`, ...Array(size / block.length).fill(block)];
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, cases, freshet, origin }) => {
  const get = 'GET /big HTTP/1.1\r\nHost: test\r\n\r\n';
  const slow = Array.from({ length: 5 }, connect);
  for (const s of slow) {
    s.socket.pause();
    await s.send(get);
  }
  await freshet.until('requests', '==', 5);
  const fast = connect();
  await fast.send(get);
  await cases.check('the fast reader has all of it', async () => equal((await fast.answers(1, [], 30_000))[0].body.length, size));
  fast.close();
  await cases.check('the origin was asked once', () => equal(origin.requests.length, 1));
  await cases.check('the slow ones are not buffered for', async () => {
    const rss = +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${freshet.note('pid')}/status`, 'utf8'))[1] / 1024;
    const gauges = await freshet.gauges();
    check(gauges.memory < 1.5 * size, `memory gauge ${gauges.memory}`);
    check(rss < 600, `RSS ${rss} MB`); // sanitizers included
  });
  for (const s of slow) s.socket.resume();
  for (const s of slow) {
    await cases.check('and get all of it too', async () => equal((await s.answers(1, [], 30_000))[0].body.length, size));
    s.close();
  }
});
