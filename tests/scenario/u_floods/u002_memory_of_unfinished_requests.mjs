// A hundred clients that begin heads and bodies and end none: the process takes a bounded share of memory for each, however much of them
// comes, others are served at once meanwhile, and all of it is given back when they are gone.
// scenarios U2; hostile h0-06, h3-19
import fs from 'node:fs';
import { check, equal, reply, scenario } from '../lib.mjs';

const clients = 100;
const answer = (r) => reply(r.target, { 'Cache-Control': r.target === '/page' ? 'max-age=6000' : 'no-store' });
await scenario({ answer, flags: ['--origin-connections', '10', '--origin-queue', '20'] }, async ({ connect, ask, cases, freshet }) => {
  await ask('/page');
  const resident = () => 1024 * +/^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${freshet.note('pid')}/status`, 'utf8'))[1];
  const field = `X-Long: ${'x'.repeat(1000)}\r\n`;
  // The thread sanitizer has four bytes and more of its own beside each byte that is touched.
  const shadow = /tsan/.test(process.env.FRESHET) ? 6 : 1;
  // name, what each client sends, the most bytes for each. The address sanitizer's share is in it: it keeps what is freed for a while. Of
  // the last one, 78 to 112 KB were measured: it differs by how much the kernel hands over before the connection is refused.
  const floods = {
    'heads of 15 KB that do not end': [`GET /${'a'.repeat(500)} HTTP/1.1\r\nHost: test\r\n${field.repeat(14)}`, 120_000],
    'a head and the beginning of a body for an origin that has no place': [`POST /slow HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(1 << 18)}`, 400_000],
    'the same in chunks': [`POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${('400\r\n' + 'x'.repeat(1024) + '\r\n').repeat(256)}`, 400_000],
    'a chunk extension that does not end': [`POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;${'a'.repeat(1 << 18)}`, 240_000],
  };
  for (const [name, [bytes, each]] of Object.entries(floods)) {
    const before = resident();
    const crowd = Array.from({ length: clients }, connect);
    for (const c of crowd) {
      c.socket.pause(); // takes nothing of an answer either
      c.socket.write(bytes, 'latin1');
    }
    await freshet.until('connections', '>=', clients / 2);
    await cases.check(`${name}: others are served`, async () => {
      for (let i = 0; i < 20; i++) equal((await ask('/page')).body, '/page');
    });
    const grown = resident() - before;
    await cases.check(`${name}: memory`, () => check(grown < clients * each * shadow, `${Math.round(grown / clients)} bytes for each of ${clients} clients`));
    for (const c of crowd) c.close();
    await freshet.until('connections', '==', 0, 'requests_open', '==', 0, 'fetches', '==', 0);
  }
});
