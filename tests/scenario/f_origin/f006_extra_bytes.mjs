// Bytes beyond the end of an answer: it is delivered, they are not, and the connection is not used again.
// scenarios F5, F6; hostile h1-21
import { equal, reply, scenario } from '../lib.mjs';

const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=60\r\n\r\nevil';
const cases_ = {
  'after Content-Length': reply('hello', { 'Cache-Control': 'max-age=60' }) + extra,
  'after the last chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' + extra,
  'after a 204': 'HTTP/1.1 204 No Content\r\n\r\n' + extra,
};
let current;
const answer = (r) => (r.target.startsWith('/next') ? reply('next') : current);
await scenario({ answer }, async ({ ask, cases, origin }) => {
  for (const [i, [name, text]] of Object.entries(cases_).entries()) {
    current = text;
    await cases.check(name, async () => {
      const r = await ask(`/${i}`);
      equal(r.status === 204 ? '' : r.body, r.status === 204 ? '' : 'hello', 'body');
      const before = new Set(origin.sockets);
      equal((await ask(`/next/${i}`)).body, 'next', 'the next answer');
      equal([...origin.sockets].some((s) => !before.has(s)) || before.size === 0, true, 'a new connection');
    });
  }
});
