// Answers that are odd but right are delivered, in our own framing.
// scenarios F8, F9, CACHING.md 7
import { equal, hangup, reply, scenario } from '../lib.mjs';

const right = {
  'two equal lengths': ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello', [200, 502]],
  'a list of equal lengths': ['HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello', [200, 502]],
  'no reason': ['HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello'],
  'no reason and no space': ['HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello', [200, 502]],
  'HTTP/1.0': [['HTTP/1.0 200 OK\r\n\r\nhello', hangup]],
  'chunk extensions': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'],
  'upper case chunked': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  'a trailer': ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: late\r\n\r\n'],
  'bytes above 0x7f in a value': ['HTTP/1.1 200 OK\r\nX: caf\xe9\r\nContent-Length: 5\r\n\r\nhello'],
  '103 before it': ['HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n' + reply('hello')],
  '100 before it': ['HTTP/1.1 100 Continue\r\n\r\n' + reply('hello')],
};
let current;
await scenario({ answer: () => current }, async ({ ask, cases }) => {
  for (const [name, [text, statuses = [200]]] of Object.entries(right)) {
    current = text;
    await cases.check(name, async () => {
      const r = await ask('/');
      equal(statuses.includes(r.status), true, `status ${r.status}`);
      if (r.status === 200) equal(r.body, 'hello', 'body');
      if (r.status === 200) equal(/^5?$/.test(r.fields['content-length'] ?? ''), true, `Content-Length ${r.fields['content-length']}`);
      equal(r.fields['x-t'], undefined, 'a trailer in the head');
      equal(r.fields.link, undefined, "another head's field");
    });
  }
});
