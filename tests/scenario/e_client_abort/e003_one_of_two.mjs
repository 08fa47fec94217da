// One of two readers of a filling object leaves: the other gets all of it.
// scenarios E3
import { equal, scenario } from '../lib.mjs';

const half = 'x'.repeat(300_000);
const answer = () => `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nContent-Length: ${2 * half.length}\r\n\r\n${half}`;
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, ask, cases, freshet, origin }) => {
  const [a, b] = [connect(), connect()];
  for (const c of [a, b]) {
    await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    await c.when('half', () => c.text.length > half.length);
  }
  a.close();
  await freshet.until('requests', '==', 1);
  [...origin.sockets][0].write(half);
  await cases.check('all of it', async () => equal((await b.answers())[0].body.length, 2 * half.length));
  b.close();
  await cases.check('and stored', async () => equal((await ask('/')).body.length, 2 * half.length));
  await cases.check('one request', () => equal(origin.requests.length, 1));
});
