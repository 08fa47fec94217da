// An answer whose framing or syntax is in doubt: 502, its connection is closed, nothing is stored, nothing of it leaks.
// scenarios F5 to F9, F13, G4; hostile h1-21, h1-06 to h1-12 on the origin's side
import { check, equal, reply, scenario } from '../lib.mjs';

const head = (lines, body = 'hello') => `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${lines.map((l) => l + '\r\n').join('')}\r\n${body}`;
const lengths = ['', '+5', '-5', '0x5', '5_0', '5 5', '5,6', '5.0', '5e0', '5Z', '5\x11', '9223372036854775808', '18446744073709551616',
  '1'.repeat(25), 'five', '5;', '5,', ',5', '"5"'];
const bad = {
  'two lengths': head(['Content-Length: 5', 'Content-Length: 6']),
  'length and chunked': head(['Content-Length: 5', 'Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
  'chunked and length': head(['Transfer-Encoding: chunked', 'Content-Length: 5'], '5\r\nhello\r\n0\r\n\r\n'),
  'a coding that is not chunked': head(['Transfer-Encoding: gzip']),
  'gzip, chunked': head(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'),
  'chunked twice': head(['Transfer-Encoding: chunked, chunked'], '0\r\n\r\n'),
  'two chunked': head(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  'chunked, identity': head(['Transfer-Encoding: chunked, identity'], '0\r\n\r\n'),
  'chunked in HTTP/1.0': head(['Transfer-Encoding: chunked'], '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'),
  'space before the colon': head(['Content-Length : 5']),
  'a fold': head(['X: a', ' b', 'Content-Length: 5']),
  'a fold first': 'HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 5\r\n\r\nhello',
  'no colon': head(['no colon here', 'Content-Length: 5']),
  'no name': head([': x', 'Content-Length: 5']),
  'NUL in a value': head(['X: a\0b', 'Content-Length: 5']),
  'CR in a value': head(['X: a\rb', 'Content-Length: 5']),
  'a byte in a name': head(['X\xe9: a', 'Content-Length: 5']),
  'line ends with LF': 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
  'one line ends with LF': 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 5\r\n\r\nhello',
  'status abc': reply('x', {}, 'abc OK'),
  'status 99': reply('x', {}, '99 OK'),
  'status 1000': reply('x', {}, '1000 OK'),
  'status 20': reply('x', {}, '20 OK'),
  'status -200': reply('x', {}, '-200 OK'),
  'control character in the reason': reply('x', {}, '200 O\x01K'),
  'version 2': reply('x').replace('HTTP/1.1', 'HTTP/2.0'),
  'version 1.10': reply('x').replace('HTTP/1.1', 'HTTP/1.10'),
  'no HTTP': 'SSH-2.0-OpenSSH_9\r\n\r\n',
  'a 101 unasked': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  'a 304 unasked': 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n',
  'a header of 64 KB': head([`X: ${'a'.repeat(65536)}`, 'Content-Length: 5']),
  'a thousand headers': head([...Array.from({ length: 1000 }, (_, i) => `X${i}: a`), 'Content-Length: 5']),
  'a thousand 1xx': 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(1000) + reply('x'),
  ...Object.fromEntries(lengths.map((l) => [`length ${JSON.stringify(l)}`, head([`Content-Length: ${l}`])])),
};
const limits = ['a header of 64 KB', 'a thousand headers', 'a thousand 1xx'];
let current;
const answer = (r) => (r.target === '/good' ? reply('good') : current);
await scenario({ answer }, async ({ ask, cases, origin, freshet }) => {
  for (const [i, [name, text]] of Object.entries(bad).entries()) {
    current = text;
    await cases.check(name, async () => {
      const before = origin.requests.length;
      const r = await ask(`/${i}`);
      equal(r.status, 502, 'status');
      equal(r.fields['cache-control'], 'no-store', 'Cache-Control');
      equal(r.fields['cache-status'], `freshet; fwd=uri-miss; ${limits.includes(name) ? 'detail=origin-limit' : 'detail=origin-invalid'}`, 'Cache-Status');
      equal(origin.requests.length, before + 1, 'requests'); // what an origin has begun to answer is not asked again
      const open = [...origin.sockets].length;
      equal((await ask('/good')).body, 'good', 'the next answer');
      await freshet.settle();
      check(open <= 1, 'the bad connection is kept');
    });
    await cases.check(`${name}: not stored`, async () => {
      current = reply('good again');
      equal((await ask(`/${i}`)).body, 'good again');
    });
  }
});
