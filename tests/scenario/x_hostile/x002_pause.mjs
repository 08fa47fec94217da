// A request whose body comes after a pause longer than the limit: the connection ends and is never used for what comes late.
// hostile h1-20
import { check, equal, reply, scenario } from '../lib.mjs';

const evil = 'GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n';
await scenario({ answer: (r) => reply(r.target), flags: ['--body-timeout', '10s'] }, async ({ connect, ask, cases, origin, freshet }) => {
  for (const method of ['POST', 'GET', 'HEAD']) {
    await cases.check(method, async () => {
      const c = connect();
      await c.send(`${method} /slow HTTP/1.1\r\nHost: a\r\nContent-Length: ${evil.length}\r\n\r\n`);
      await freshet.until('requests', '==', 1);
      await freshet.advance('11s');
      await c.closed();
      c.socket.write(evil);
      check(!c.responses().some((r) => r.status === 200), c.text);
      c.close();
    });
  }
  await freshet.settle();
  equal((await ask('/end')).body, '/end');
  await cases.check('the origin saw no evil', () => check(!origin.requests.some((r) => r.head.includes('evil') || r.body.includes('evil')), 'it did'));
});
