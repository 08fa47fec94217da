// Two visitors with different values of a cookie that the page varies on ask for the cold page at once: each gets his own
// page, two requests. The rule is unknown when the second joins.
// scenarios C17, CACHING.md 4.4, 6.4
// also over tls, h2
import { equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
const answer = async (r) => {
  await new Promise((resolve) => release.push(resolve));
  return reply(`for ${r.fields.cookie}`, { 'Cache-Control': 's-maxage=60', 'Netlify-Vary': 'cookie=who' });
};
for (const workers of ['2']) {
  await scenario({ answer, flags: ['--workers', workers] }, async ({ ask, cases, freshet, origin }) => {
    for (let round = 0; round < 10; round++) {
      origin.requests.length = 0;
      const visitors = ['who=a', 'who=b', 'who=a', 'who=b', 'who=a'].map((c) => [c, ask(`/${round}`, { Cookie: c })]);
      await freshet.until('requests', '==', visitors.length);
      // Whoever came first leads; the others of his kind are answered with him, the rest look up again.
      await soon(() => release.length !== 0);
      release.shift()();
      await soon(() => release.length !== 0);
      release.shift()();
      for (const [c, p] of visitors) {
        const r = await p;
        await cases.check('his own page', () => equal(r.body, `for ${c}`));
      }
      await cases.check('two requests', () => equal(origin.requests.length, 2));
    }
  });
}
