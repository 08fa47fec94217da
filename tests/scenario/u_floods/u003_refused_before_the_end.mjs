// What is over a limit is refused as soon as it is over it, not when it ends: the answer is there though the client goes on for ever, little
// more than the limit has been read for it, and nothing of it reaches the origin.
// scenarios U3; hostile h0-06
import { check, equal, reply, scenario } from '../lib.mjs';

const post = 'POST /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';
// name, what comes first, what comes again and again, the status, bytes after which the answer must be there
const rows = [
  ['a request line', 'GET /', 'a', [414], 8192],
  ['a method', '', 'G', [400, 414, 501], 8192],
  ['a query', 'GET /?', 'a=b&', [414], 8192],
  ['one field', 'GET / HTTP/1.1\r\nHost: test\r\nX: ', 'a', [431], 16384],
  ['a field\'s name', 'GET / HTTP/1.1\r\nHost: test\r\n', 'a', [400, 431], 16384],
  ['blanks before a value', 'GET / HTTP/1.1\r\nHost: test\r\nX:', ' ', [400, 431], 16384],
  ['many fields', 'GET / HTTP/1.1\r\nHost: test\r\n', 'X: y\r\n', [431], 16384],
  ['a cookie', 'GET / HTTP/1.1\r\nHost: test\r\nCookie: ', 'a=b; ', [431], 16384],
  ['empty lines', '', '\r\n', [400, 414], 8192],
  ['a chunk\'s extension', post + '1', ';a=b', [400, 413, 431], 16384],
  ['noughts of a chunk\'s size', post, '0', [400, 413], 16384],
  ['a trailer', post + '0\r\nX: ', 'a', [400, 413, 431], 16384],
  ['trailers', post + '0\r\n', 'X: y\r\n', [400, 413, 431], 16384],
  ['a length', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ', '0', [400, 431], 16384],
];
await scenario({ answer: () => reply('x') }, async ({ connect, ask, cases, origin, freshet }) => {
  for (const [name, first, again, statuses, limit] of rows)
    await cases.check(name, async () => {
      const c = connect();
      // A little over the limit, and no end: whoever waits for the end waits for ever.
      const bytes = first + again.repeat(Math.ceil((limit + 4096) / again.length));
      await c.send(bytes);
      const [r] = await c.answers();
      check(statuses.includes(r.status), `status ${r.status}`);
      equal(r.fields.connection, 'close', 'Connection');
      c.close();
    });
  await freshet.settle();
  await cases.check('no whole request reached the origin', () => equal(origin.requests.length, 0));
  equal((await ask('/end')).status, 200);
});
