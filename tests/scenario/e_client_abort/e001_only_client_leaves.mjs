// The only client leaves in the middle of a body: what is stored then is the whole body or nothing.
// scenarios E1
import { equal, scenario } from '../lib.mjs';

let n = 0;
let finish = true;
const half = 'x'.repeat(200_000);
const answer = () => [`HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nContent-Length: ${2 * half.length}\r\nX-N: ${++n}\r\n\r\n${half}`, ...(n > 1 && finish ? [half] : [])];
await scenario({ answer }, async ({ connect, ask, cases, freshet, origin }) => {
  const c = connect();
  await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await c.when('half', () => c.text.length > half.length);
  c.close();
  await freshet.until('requests_open', '==', 0);
  for (const s of origin.sockets) s.write(half);
  await freshet.settle();
  await cases.check('the next gets the whole body', async () => equal((await ask('/')).body.length, 2 * half.length));
  // The same, and the origin hangs up too.
  finish = false;
  const d = connect();
  await d.send('GET /cut HTTP/1.1\r\nHost: test\r\n\r\n');
  await d.when('half', () => d.text.length > half.length);
  d.close();
  await freshet.until('requests_open', '==', 0);
  for (const s of origin.sockets) s.end();
  await freshet.settle();
  finish = true;
  await cases.check('half a body is nothing', async () => {
    const r = await ask('/cut');
    equal(r.body.length, 2 * half.length);
    equal(/^freshet; hit/.test(r.fields['cache-status']), false, 'hit');
  });
});
