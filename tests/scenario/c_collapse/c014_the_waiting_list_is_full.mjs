// When the waiting list of a fetch is full, who comes next goes to the origin on his own, unstored.
// scenarios C14, CACHING.md 6.4 (setting waiters)
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
let n = 0;
const answer = async () => {
  const mine = ++n;
  await new Promise((r) => release.push(r));
  return reply(`page ${mine}`, { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--waiters', '3'] }, async ({ ask, cases, freshet, origin }) => {
  const first = ask('/');
  await freshet.until('fetches', '==', 1);
  const others = Array.from({ length: 5 }, () => ask('/'));
  await freshet.until('requests', '==', 6, 'fetches', '>=', 3);
  const asked = (await freshet.gauges()).fetches;
  await soon(() => release.length >= asked);
  release.forEach((r) => r());
  const got = await Promise.all([first, ...others]);
  // The leader's own request may count as one of those who wait.
  const shared = got.filter((r) => r.body === 'page 1').length;
  await cases.check('three or four share a page', () => check(shared === 3 || shared === 4, `${shared}`));
  await cases.check('the others asked alone', () => equal(origin.requests.length, 7 - shared));
  await cases.check('and say so', () => equal(got.filter((r) => /detail=not-shared$/.test(r.fields['cache-status'])).length, 6 - shared));
  await cases.check('the first is what is stored', async () => equal((await ask('/')).body, 'page 1'));
});
