// Bytes behind the end of an answer are no answer, and its page may be cut: the log says so, once in ten seconds, and a counter counts.
// The 408 of a server that ends an idle connection is none of them (RFC 9110 §15.5.9).
// scenarios F5, F6
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const page = 'Zoë '.repeat(50_000); // 50,000 bytes more than characters
const fields = { 'Cache-Control': 'no-store' };
const counted_in_characters = (body) => `HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: ${body.length}\r\n\r\n${Buffer.from(body).toString('latin1')}`;
const etag = 'ETag: "1"\r\nCache-Control: no-cache\r\n';
// name: the answer, what the log says, the request's method.
const said = {
  'a short Content-Length': [counted_in_characters('Zoë!'), "bytes came behind the answer to GET test/1, whose Content-Length is 4 (it counts bytes, not characters); they are dropped"],
  'of a long body': [counted_in_characters(page), 'bytes came behind the end of an answer, or without a request: they are dropped'],
  'an answer behind the last chunk': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' + reply('x'), 'bytes came behind the answer to GET test/3, which ends with its last chunk'],
  'a body with a 204': ['HTTP/1.1 204 No Content\r\n\r\nhello', 'bytes came behind the answer to GET test/4, which has no body (none has an answer to HEAD, a 204, a 304)'],
  'a body with an answer to HEAD': [`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello`, 'bytes came behind the answer to HEAD test/5, which has no body', 'HEAD'],
  'a body with a 304': [`HTTP/1.1 304 Not Modified\r\n${etag}\r\nhello`, 'bytes came behind the answer to GET test/6, which has no body'],
};
let now;
const answer = (r) => (r.target.startsWith('/good') ? reply('good', fields) : r.target === '/6' && !r.fields['if-none-match'] ? `HTTP/1.1 200 OK\r\n${etag}Content-Length: 4\r\n\r\npage` : now);
await scenario({ answer, flags: ['--origin-connections', '1'] }, async ({ ask, cases, freshet, origin }) => {
  const lines = (text) => freshet.log().split('\n').filter((l) => l.includes(text)).length;
  const counted = async () => (await freshet.gauges()).origin_surplus_total;
  await ask('/6');
  let n = 0;
  for (const [name, [text, says, method = 'GET']] of Object.entries(said)) {
    n++;
    await cases.check(name, async () => {
      await freshet.advance('11s'); // one line in ten seconds
      const before = await counted();
      now = text;
      await ask(`/${n}`, {}, { method });
      await soon(() => lines(says) === 1);
      equal(await counted(), before + 1, 'how many are counted');
      equal(lines('bytes came behind'), n, 'lines');
      equal((await ask('/good')).body, 'good');
    });
  }
  await cases.check('one line in ten seconds, which says how many more there were', async () => {
    await freshet.advance('11s');
    const before = await counted();
    now = counted_in_characters('Zoë!');
    for (let i = 0; i < 4; i++) await ask('/again');
    equal(await counted(), before + 4);
    equal(lines('answer to GET test/again'), 1);
    await freshet.advance('11s');
    await ask('/last');
    await soon(() => lines('answer to GET test/last') === 1);
    check(/GET test\/last.*; 3 more since/.test(freshet.log()), 'how many more');
  });
  await cases.check('408 on an idle connection', async () => {
    await freshet.advance('11s');
    const before = await counted(), lines_before = lines('bytes came behind');
    await ask('/good');
    const [socket] = origin.sockets;
    socket.write('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    await soon(() => origin.sockets.size === 0);
    equal(await counted(), before);
    equal(lines('bytes came behind'), lines_before);
  });
});
