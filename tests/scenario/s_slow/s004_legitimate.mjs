// A reader that takes little but steadily is not cut, one that takes nothing for longer than send_timeout is.
// scenarios S4, S2
import { equal, scenario } from '../lib.mjs';

const size = 20_000_000;
const answer = () => `HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(size)}`;
await scenario({ answer, flags: ['--send-timeout', '60s'] }, async ({ connect, ask, cases, freshet }) => {
  await ask('/');
  const steady = connect();
  steady.socket.pause();
  await steady.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  const stuck = connect();
  stuck.socket.pause();
  await stuck.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await freshet.until('requests', '==', 2);
  for (let i = 1; i <= 4; i++) {
    // A good part, then a pause of the clock that is below the limit.
    const goal = i * 2_000_000;
    const taken = new Promise((resolve) => steady.socket.on('data', function enough() {
      if (steady.text.length < goal) return;
      steady.socket.pause();
      steady.socket.off('data', enough);
      resolve();
    }));
    steady.socket.resume();
    await taken;
    await freshet.advance('40s');
  }
  await cases.check('the stuck one is cut', () => freshet.until('requests', '==', 1));
  stuck.close();
  steady.socket.resume();
  await cases.check('the steady one has all', async () => equal((await steady.answers(1, [], 20_000))[0].body.length, size));
  steady.close();
});
