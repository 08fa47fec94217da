// A hit whose request has a body that looks like a request: the body is read or the connection closed, never answered.
// scenarios N3; hostile h1-16, h0-03; CACHING.md 6.7
import { check, equal, reply, scenario } from '../lib.mjs';

const evil = 'GET /evil HTTP/1.1\r\nHost: test\r\n\r\n';
await scenario({ answer: (r) => reply(r.target, { 'Cache-Control': 'max-age=60' }) }, async ({ connect, ask, cases, origin, freshet }) => {
  await ask('/page');
  const rows = [
    `GET /page HTTP/1.1\r\nHost: test\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    `HEAD /page HTTP/1.1\r\nHost: test\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    `GET /page HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${evil.length.toString(16)}\r\n${evil}\r\n0\r\n\r\n`,
    `GET /a%zz HTTP/1.1\r\nHost: test\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    `TRACE /page HTTP/1.1\r\nHost: test\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    `GET /page HTTP/1.1\r\nHost: test\r\nCache-Control: only-if-cached\r\nContent-Length: ${evil.length}\r\n\r\n${evil}`,
    `POST /page HTTP/1.1\r\nHost: test\r\nContent-Length: 9999999999999\r\n\r\n${evil}`,
  ];
  for (const [i, text] of rows.entries()) {
    await cases.check(text.slice(0, text.indexOf('\r\n\r\n')).replace(/\r\n/g, ', '), async () => {
      const c = connect();
      await c.send(text);
      if (!text.includes('9999999999999')) await c.send(`GET /after/${i} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
      await c.closed();
      check(!c.text.includes('/evil'), 'answered');
      c.close();
    });
  }
  await freshet.settle();
  await cases.check('/evil never reached the origin', () => equal(origin.requests.filter((r) => r.line.includes('/evil')).length, 0));
});
