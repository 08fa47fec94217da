// What parts several ranges is a token of freshet's own, of at most 70 characters that a boundary may have (RFC 2046 §5.1.1), another
// one each time, and never what the client sent as X-Request-Id.
// CACHING.md 6.2
// also over tls, h2
import { check, equal, reply, scenario } from '../lib.mjs';

const body = 'one\r\n--mine\r\ntwo\r\n--mine--\r\nthree, and something behind it';
const given = ['mine', 'm'.repeat(70), 'm'.repeat(71), 'm'.repeat(128), "!#$%&'*+.^_`|~", 'freshet-of-mine', undefined];
const seen = new Set();

await scenario({ answer: () => reply(body, { 'Cache-Control': 'max-age=60', 'Content-Type': 'text/x' }) }, async ({ ask, cases }) => {
  await ask('/');
  for (const id of given) {
    await cases.check(`X-Request-Id: ${id}`, async () => {
      const r = await ask('/', { Range: 'bytes=0-20, 40-44', ...(id ? { 'X-Request-Id': id } : {}) });
      equal(r.status, 206, 'status');
      const mark = /^multipart\/byteranges; boundary=([\w'()+,./:=?-]{1,70})$/.exec(r.fields['content-type'])?.[1];
      check(mark, `Content-Type: ${r.fields['content-type']}`);
      check(mark.length >= 20, `short enough to guess: ${mark}`);
      check(!id || !mark.includes(id), `the client's: ${mark}`);
      check(!seen.has(mark), `for the second time: ${mark}`);
      seen.add(mark);
      const pieces = r.body.split(`--${mark}`);
      equal(pieces.length, 4, 'pieces');
      equal(pieces[1].split('\r\n\r\n').slice(1).join('\r\n\r\n'), body.slice(0, 21) + '\r\n', 'the first range');
      equal(pieces[3], '--\r\n', 'the end');
    });
  }
});
