// After an answer that may not be shared all waiters go at once, in parallel, and the next hundred do not queue at all.
// scenarios C5, CACHING.md 6.4
import { equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
let n = 0;
let open = 0;
let most = 0;
let hold = true;
const answer = async (r) => {
  const mine = ++n;
  most = Math.max(most, ++open);
  if (hold) await new Promise((resolve) => release.push(resolve));
  open--;
  return reply(`for ${r.fields.cookie}`, { 'Cache-Control': 'private', 'Set-Cookie': `n=${mine}` });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const first = Array.from({ length: 20 }, (_, i) => ask('/', { Cookie: `v=${i}` }));
  await freshet.until('requests', '==', 20);
  await soon(() => release.length > 0);
  equal(origin.requests.length, 1, 'requests before the head');
  release.shift()();
  // All nineteen are let go and stand at the origin together.
  await freshet.until('fetches', '==', 19);
  await soon(() => open >= 19);
  release.forEach((r) => r());
  hold = false;
  const got = await Promise.all(first);
  for (const [i, r] of got.entries()) await cases.check('his own page', () => equal(r.body, `for v=${i}`));
  await cases.check('twenty requests', () => equal(origin.requests.length, 20));
  hold = true;
  release.length = 0;
  const next = Array.from({ length: 100 }, (_, i) => ask('/', { Cookie: `w=${i}` }));
  await freshet.until('fetches', '==', 100);
  await soon(() => open >= 100);
  release.forEach((r) => r());
  for (const [i, p] of next.entries()) {
    const r = await p;
    await cases.check('his own page, without a queue', () => equal(r.body, `for w=${i}`));
  }
});
