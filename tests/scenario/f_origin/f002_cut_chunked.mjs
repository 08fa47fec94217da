// A chunked body that is cut anywhere is never delivered as whole and never stored.
// scenarios F2, vi; CACHING.md 2.3
// also over tls, h2
import { check, equal, hangup, scenario } from '../lib.mjs';

const whole = '5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n';
let cut;
const answer = () => ['HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n' + whole.slice(0, cut), hangup];
await scenario({ answer }, async ({ connect, cases }) => {
  for (cut = 0; cut < whole.length; cut++) {
    await cases.check(`cut after ${cut} bytes`, async () => {
      for (const again of [false, true]) {
        const c = connect();
        await c.send(`GET /${cut} HTTP/1.1\r\nHost: test\r\n\r\n`);
        await c.closed();
        const [r] = c.responses();
        check(r === undefined || r.cut || r.status >= 500, `answered as whole${again ? ' again' : ''}: ${c.text}`);
        check(!/freshet; hit/.test(c.text), 'a hit');
        c.close();
      }
    });
  }
  cut = whole.length;
  await cases.check('whole', async () => {
    const c = connect();
    await c.send('GET /whole HTTP/1.1\r\nHost: test\r\n\r\n');
    equal((await c.answers())[0].body, 'hello world');
    c.close();
  });
});
