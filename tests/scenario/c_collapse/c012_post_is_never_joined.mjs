// POST and PUT are never joined: each reaches the origin with its own body.
// scenarios C12, CACHING.md 2.1
import { equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
const answer = async (r) => {
  await new Promise((resolve) => release.push(resolve));
  return reply(`${r.method} ${r.body}`, { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const all = Array.from({ length: 10 }, (_, i) => ask('/', {}, { method: i % 2 ? 'PUT' : 'POST', body: `body ${i}` }));
  await freshet.until('fetches', '==', 10);
  await soon(() => release.length >= 10);
  release.forEach((r) => r());
  for (const [i, r] of (await Promise.all(all)).entries()) {
    await cases.check('his own answer', () => equal(r.body, `${i % 2 ? 'PUT' : 'POST'} body ${i}`));
  }
  await cases.check('ten requests', () => equal(origin.requests.length, 10));
});
