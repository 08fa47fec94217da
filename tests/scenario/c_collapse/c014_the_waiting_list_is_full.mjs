// When the waiting list of a fetch is full, who comes next goes to the origin on his own, unstored.
// scenarios C14, CACHING.md 6.4 (setting waiters)
import { equal, reply, scenario } from '../lib.mjs';

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
  await freshet.until('requests', '==', 6, 'fetches', '==', 3);
  while (release.length < 3) await new Promise(setImmediate);
  release.forEach((r) => r());
  const got = await Promise.all([first, ...others]);
  await cases.check('three requests', () => equal(origin.requests.length, 3));
  await cases.check('four share a page', () => equal(got.filter((r) => r.body === 'page 1').length, 4));
  await cases.check('the first is what is stored', async () => equal((await ask('/')).body, 'page 1'));
});
