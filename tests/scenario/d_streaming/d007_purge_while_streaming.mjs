// A purge while clients stream: they get their whole body, the next request is a miss.
// scenarios D7, O6, CACHING.md 5.4
// also over tls, h2
import { equal, scenario } from '../lib.mjs';

let n = 0;
const answer = () => `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nCache-Tag: t\r\nContent-Length: 10\r\nX-N: ${++n}\r\n\r\n01234`;
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, ask, cases, freshet, origin }) => {
  const clients = Array.from({ length: 10 }, connect);
  for (const c of clients) await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  for (const c of clients) await c.when('half', () => c.text.endsWith('01234'));
  const purged = await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["T"]}');
  equal(purged.status, 202, 'purge');
  [...origin.sockets][0].write('56789');
  for (const c of clients) {
    const [r] = await c.answers();
    await cases.check('the whole body', () => equal(`${r.body} ${r.fields['x-n']}`, '0123456789 1'));
    c.close();
  }
  const next = connect();
  await next.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await next.when('half', () => next.text.endsWith('01234'));
  [...origin.sockets].at(-1).write('56789');
  await cases.check('the next is a miss', async () => equal((await next.answers())[0].fields['x-n'], '2'));
  next.close();
  await cases.check('which is stored', async () => equal((await ask('/')).fields['x-n'], '2'));
});
