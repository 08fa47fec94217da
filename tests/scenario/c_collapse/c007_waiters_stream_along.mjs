// Waiters are let go at the head of the answer and get bytes while the origin still sends; one who joins in the middle gets
// the body from byte 0.
// scenarios C7, D1, D2, CACHING.md 6.4
// also over tls, h2
import { equal, scenario } from '../lib.mjs';

const part = 'a'.repeat(1_000_000);
const rest = 'b'.repeat(500_000);
let socket;
const answer = () => `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nContent-Length: ${part.length + rest.length}\r\n\r\n${part}`;
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, cases, origin, freshet }) => {
  const open = async () => {
    const c = connect();
    await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    return c;
  };
  const clients = [await open(), await open(), await open()];
  for (const c of clients) {
    await cases.check('the first megabyte comes before the rest is sent', () => c.when('1 MB', () => c.text.length > part.length));
  }
  const late = await open();
  await cases.check('who joins late gets it too', () => late.when('1 MB', () => late.text.length > part.length));
  socket = [...origin.sockets][0];
  socket.write(rest);
  for (const c of [...clients, late]) {
    const [r] = await c.answers(1, [], 20_000);
    await cases.check('the whole body', () => equal(r.body === part + rest, true, 'equal'));
    c.close();
  }
  await cases.check('one request', () => equal(origin.requests.length, 1));
  await freshet.settle();
});
