// An answer that comes before the request's body was read reaches a client that writes all of it first: what it sends is read over, for 30 seconds in all and 5 of silence, then the connection ends.
// CACHING.md 6.7, scenarios K4; hostile h0-03
import net from 'node:net';
import { check, equal, Raw, reply, scenario } from '../lib.mjs';

const size = 6_000_000;
const answer = () => reply('no', {}, '403 Forbidden');
await scenario({ answer, flags: ['--listen', '127.0.0.1:0', '--request-body', '16M'] }, async ({ cases, freshet }) => {
  // Writes all of it, and reads nothing before.
  const late = async (head, body) => {
    const c = new Raw(freshet.tcp);
    c.socket.pause();
    await c.send(head);
    for (let at = 0; at < body; at += 60_000) {
      if (!c.socket.write('x'.repeat(Math.min(60_000, body - at)))) await Promise.race([new Promise((ok) => c.socket.once('drain', ok)), new Promise((ok) => c.socket.once('close', ok))]);
      if (c.socket.destroyed) break;
    }
    c.socket.resume();
    return c;
  };
  await cases.check('a limit', async () => {
    const c = await late(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${100_000_000}\r\n\r\n`, size);
    equal((await c.answers())[0].status, 413);
    c.close();
  });
  await cases.check("the origin's", async () => {
    const c = await late(`GET /x HTTP/1.1\r\nHost: other host\r\nContent-Length: ${size}\r\n\r\n`, size);
    equal((await c.answers())[0].status, 400);
    c.close();
  });
  await cases.check('silence ends it', async () => {
    const c = net.connect({ ...freshet.tcp, allowHalfOpen: true });
    let text = '';
    c.on('data', (d) => (text += d)).on('error', () => {});
    c.write(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${100_000_000}\r\n\r\n`);
    await new Promise((ok) => c.once('end', ok));
    check(/^HTTP\/1.1 413 /.test(text), text);
    c.write('x');
    await freshet.advance('4s');
    check((await freshet.gauges()).connections >= 1, 'not before');
    await freshet.advance('2s');
    await freshet.until('connections', '==', 0);
    c.destroy();
  });
});
