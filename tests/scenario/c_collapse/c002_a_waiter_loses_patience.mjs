// A waiter whose time is up goes to the origin alone; his answer is not stored, the leader's is.
// scenarios C2, C3, CACHING.md 6.4
// also over tls, h2
import { equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
let n = 0;
const answer = async () => {
  const mine = ++n;
  await new Promise((r) => (release[mine] = r));
  return reply(`page ${mine}`, { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--wait-timeout', '20s'] }, async ({ ask, cases, freshet, origin }) => {
  const leader = ask('/', {}, { ms: 30_000 });
  await freshet.until('fetches', '==', 1);
  const waiter = ask('/', {}, { ms: 30_000 });
  await freshet.until('requests', '==', 2);
  await freshet.advance('21s');
  await freshet.until('fetches', '==', 2);
  await soon(() => release[2]);
  release[2]();
  await cases.check('the waiter has his own answer', async () => {
    const r = await waiter;
    equal(r.body, 'page 2');
    equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=not-shared');
  });
  release[1]();
  await cases.check('the leader has his', async () => equal((await leader).body, 'page 1'));
  await cases.check('which is what is stored', async () => equal((await ask('/')).body, 'page 1'));
  await cases.check('two requests', () => equal(origin.requests.length, 2));
});
