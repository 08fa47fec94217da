// A hundred visitors of a cold page at once: one request to the origin, a hundred equal bodies.
// scenarios C1, CACHING.md 6.4
// also over tls, h2
import { equal, reply, scenario } from '../lib.mjs';

let release;
const held = new Promise((r) => (release = r));
const body = 'x'.repeat(300_000);
const answer = async () => {
  await held;
  return reply(body, { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const all = Array.from({ length: 100 }, () => ask('/'));
  await freshet.until('requests', '==', 100);
  release();
  const got = await Promise.all(all);
  await cases.check('one request to the origin', () => equal(origin.requests.length, 1));
  for (const r of got) await cases.check('the whole body', () => equal(r.body === body, true, 'equal'));
  const kinds = got.map((r) => r.fields['cache-status']).sort();
  await cases.check('one stored it', () => equal(kinds.filter((k) => k === 'freshet; fwd=uri-miss; stored').length, 1));
  await cases.check('the others joined', () => equal(kinds.filter((k) => k === 'freshet; fwd=uri-miss; stored; collapsed').length, 99));
});
