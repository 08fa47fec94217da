// Trailers of an answer are forwarded or dropped, never merged into the head and never stored as part of it; in a request they
// never become fields, and those that would change its framing are refused.
// scenarios L4, L5, CACHING.md 7
import { check, equal, reply, scenario } from '../lib.mjs';

const chunked = 'Cache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n';
const answer = (r) => (r.target === '/t' ? `HTTP/1.1 200 OK\r\n${chunked}X-Late: 1\r\nCache-Tag: evil\r\nSet-Cookie: a=b\r\n\r\n`
  : reply(`${r.target} ${r.body} ${Object.keys(r.fields).filter((f) => f.startsWith('x-t')).join()}`));
await scenario({ answer }, async ({ ask, connect, cases, freshet, origin }) => {
  for (const which of ['first', 'stored']) {
    await cases.check(`${which}: not in the head`, async () => {
      const r = await ask('/t');
      equal(r.body, 'hello');
      equal(r.fields['x-late'], undefined);
      equal(r.fields['set-cookie'], undefined);
    });
  }
  await cases.check('a tag in the trailer is none', async () => {
    await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["evil"]}');
    check(/^freshet; hit/.test((await ask('/t')).fields['cache-status']), 'purged');
  });
  const post = (trailer) => `POST /p HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${trailer}\r\n`;
  await cases.check("a request's trailer is no field", async () => {
    const c = connect();
    await c.send(post('X-T: 1\r\n'));
    equal((await c.answers())[0].body, '/p hello ');
    c.close();
  });
  for (const name of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: evil', 'Trailer: x', 'X-T : 1', ': 1', 'X-T: a\0b', ' X-T: 1', 'nothing']) {
    await cases.check(`trailer ${JSON.stringify(name)}: refused or dropped`, async () => {
      const before = origin.requests.length;
      const c = connect();
      await c.send(post(name + '\r\n') + 'GET /next HTTP/1.1\r\nHost: test\r\n\r\n');
      await c.when('an answer', () => c.responses().some((r) => r.status >= 200 && !r.cut));
      if (c.responses()[0].status !== 200) {
        await c.closed();
        equal(c.responses().length, 1, 'answers');
      } else {
        await c.answers(2);
        for (const r of origin.requests.slice(before)) check(!/evil/.test(r.head), 'the origin saw it');
      }
      c.close();
    });
  }
});
