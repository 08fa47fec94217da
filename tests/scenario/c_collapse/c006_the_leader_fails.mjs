// When the leader's fetch fails before a head, the waiters are answered soon, with at most one more try in all.
// scenarios C6
// also over tls, h2
import { check, equal, hangup, scenario } from '../lib.mjs';

let release;
const held = new Promise((r) => (release = r));
const answer = async () => {
  await held;
  return ['not http at all\r\n\r\n', hangup];
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const all = Array.from({ length: 30 }, () => ask('/'));
  await freshet.until('requests', '==', 30);
  release();
  for (const r of await Promise.all(all)) await cases.check('a 502', () => equal(r.status, 502));
  await cases.check('at most two requests', () => check(origin.requests.length <= 2, `${origin.requests.length} requests`));
});
