// A fetch begun before a purge is delivered to those who asked before it, and to nobody after it: waiters, variants, stored.
// scenarios O3, CACHING.md 5.4
import { equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
let n = 0;
const answer = async () => {
  const mine = ++n;
  await new Promise((r) => (release[mine] = r));
  return reply(`page ${mine}`, { 'Cache-Control': 's-maxage=60', 'Cache-Tag': 't' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  for (const [round, body] of ['{"cache_tags":["t"]}', '{}', '{"urls":["http://test/"]}'].entries()) {
    origin.requests.length = 0;
    n = 0;
    const before = [ask('/'), ask('/')];
    await freshet.until('requests', '==', 2, 'fetches', '==', 1);
    equal((await freshet.api('POST', '/api/v1/purge', body)).status, 202);
    const after = [ask('/'), ask('/')];
    await freshet.until('requests', '==', 4);
    await soon(() => release[1]);
    release[1]();
    await soon(() => release[2]);
    release[2]();
    for (const p of before) await cases.check(`${body}: who asked before`, async () => equal((await p).body, 'page 1'));
    for (const p of after) await cases.check(`${body}: who asked after`, async () => equal((await p).body, 'page 2'));
    await cases.check(`${body}: stored is the later`, async () => equal((await ask('/')).body, 'page 2'));
    await cases.check(`${body}: two requests`, () => equal(origin.requests.length, 2));
    release.length = 0;
    await freshet.api('POST', '/api/v1/purge', '{}');
    equal(round < 3, true);
  }
});
