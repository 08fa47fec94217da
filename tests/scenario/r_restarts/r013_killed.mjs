// A freshet that was killed leaves nothing behind that keeps the next one from starting in the same place: not its sockets, not its files, not
// its locks; the token is the same, and nothing of the one that was killed is in its folder twice.
// scenarios R13, R12
import fs from 'node:fs';
import { check, equal, Freshet, Raw, reply, scenario } from '../lib.mjs';

await scenario({ answer: (r) => reply(r.target, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'a' }) }, async ({ ask, cases, origin }) => {
  const freshet = new Freshet('killed');
  const get = async (path) => {
    const c = new Raw('killed/front');
    await c.send(`GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
    const [r] = await c.answers();
    c.close();
    return r;
  };
  // What it keeps there, however often it was killed.
  const files = ['admin', 'facts.0.log', 'facts.0.whole', 'facts.1.log', 'facts.1.whole', 'lock', 'pages'];
  for (let i = 0; i < 4; i++) {
    await cases.check(`start ${i + 1}`, async () => {
      await freshet.start(['--origin', origin.url]);
      equal((await get(`/${i}`)).body, `/${i}`);
      equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["a"]}')).status, 202);
      equal((await freshet.api('GET', '/api/v1/status')).status, 200);
    });
    if (i < 3) freshet.signal('KILL');
    else freshet.signal('TERM');
    await freshet.status();
    const now = fs.readdirSync('killed/state');
    await cases.check('the folder does not grow', () => check(now.length > 2 && now.every((f) => files.includes(f)), now.join()));
  }
  await cases.check('the last one ended well', () => equal(freshet.note('status'), '0'));
  await cases.check('the log is calm', () => check(!/error|cannot|failed/i.test(freshet.log()), freshet.log()));
  equal((await ask('/end')).body, '/end');
});
