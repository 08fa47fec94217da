// An origin that answers before it has read the upload: the client gets the answer, the upload stops, the connection is not
// used again.
// scenarios F15, K4
// also over tls
import { equal, reply, scenario } from '../lib.mjs';

await scenario({ answer: (r) => reply(r.target) }, async ({ connect, ask, cases, origin, freshet }) => {
  const answered = new Promise((resolve) => origin.server.once('connection', (s) => {
    s.removeAllListeners('data');
    s.once('data', () => {
      s.pause();
      s.write(reply('too large', { Connection: 'close' }, '413 Content Too Large'));
      resolve(s);
    });
  }));
  const c = connect();
  await c.send('POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000\r\n\r\n' + 'x'.repeat(1000));
  await cases.check('the client has the answer', async () => equal((await c.answers())[0].status, 413));
  await c.send('x'.repeat(100_000));
  const old = await answered;
  c.close();
  await freshet.settle();
  await cases.check('the next is unharmed', async () => equal((await ask('/next')).body, '/next'));
  await cases.check('on another connection', () => equal(origin.requests.length, 1));
  old.destroy();
});
