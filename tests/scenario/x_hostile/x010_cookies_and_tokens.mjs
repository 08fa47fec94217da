// Whatever the order and the timing, what was made for one visitor's cookie or token is not another's, unless the origin says public.
// hostile h3-13 (Set-Cookie leak), h3-24 (Memory disclosure); scenarios v
import { check, equal, reply, scenario } from '../lib.mjs';

let n = 0;
const answer = (r) => reply(`${++n} for ${r.fields.authorization ?? 'nobody'}`, { 'Cache-Control': 'max-age=60' });
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, connect, cases, freshet }) => {
  for (let round = 0; round < 20; round++) {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => ask(`/${round}`, i % 2 ? { Authorization: `Basic u${i}` } : {})));
    // What was made for nobody may answer somebody (RFC 9111 §3.5), never the other way round.
    await cases.check('each his own or nobody\'s', () => all.forEach((r, i) => check(r.body.endsWith('nobody') || (i % 2 === 1 && r.body.endsWith(`Basic u${i}`)), `${i}: ${r.body}`)));
  }
  // Canaries: what one connection sent, also in requests that fail half way, never shows on another.
  const broken = ['GET /c HTTP/1.1\r\nHost: test\r\nX: CANARY', 'GET /CANARY HTTP/1.1\r\nHost: test\r\nbad line\r\n\r\n', 'POST /c HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nCANARY',
    'POST /c HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nCANARY\r\nzz\r\n', 'GET /c HTTP/1.1\r\nHost: CANARY CANARY\r\n\r\n', 'CANARY\r\n\r\n', `GET /c HTTP/1.1\r\nHost: test\r\nX: ${'CANARY'.repeat(5000)}\r\n\r\n`,
    'GET /c?CANARY HTTP/1.1\r\nHost: test\r\nRange: bytes=CANARY\r\nExpect: CANARY\r\n\r\n'];
  for (const text of broken) {
    await cases.check(JSON.stringify(text.slice(0, 50)), async () => {
      const c = connect();
      await c.send(text);
      await ask('/clean1');
      c.socket.end();
      await c.closed();
      check(!c.text.includes('CANARY'), 'its own answer repeats it');
      c.close();
      for (let i = 0; i < 5; i++) {
        const d = connect();
        await d.send(i % 2 ? 'GET /clean2 HTTP/1.1\r\nHost: test\r\n\r\n' : 'nonsense\r\n\r\n');
        await d.when('an answer', () => d.responses().some((r) => !r.cut));
        check(!d.text.includes('CANARY'), 'another sees it');
        d.close();
      }
    });
  }
  await freshet.settle();
  equal((await ask('/end')).status, 200);
});
