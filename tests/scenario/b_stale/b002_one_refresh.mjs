// Fifty visitors of a stale page at once start exactly one background refresh.
// scenarios B2, CACHING.md 3.4
// also over tls, h2
import { equal, reply, scenario } from '../lib.mjs';

let release;
const held = new Promise((r) => (release = r));
let n = 0;
const answer = async () => {
  const mine = ++n;
  if (mine > 1) await held;
  return reply(`page ${mine}`, { 'Cache-Control': 's-maxage=10, stale-while-revalidate=600' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  await ask('/');
  await freshet.advance('15s');
  const all = await Promise.all(Array.from({ length: 50 }, () => ask('/')));
  await cases.check('all get the stale page', () => all.forEach((r) => equal(r.body, 'page 1')));
  release();
  await freshet.settle();
  await cases.check('one refresh', () => equal(origin.requests.length, 2, 'requests at the origin'));
  await cases.check('then the new page', async () => equal((await ask('/')).body, 'page 2'));
});
