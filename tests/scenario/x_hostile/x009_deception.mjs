// Web cache deception: a private page under a name that looks static is not stored; only the origin's headers decide.
// hostile h3-11 (Web cache deception), h3-12 (ISR specific), h0-05; CACHING.md 2.2, 2.6
import { check, equal, reply, scenario } from '../lib.mjs';

const suffixes = ['/x.css', ';x.css', '%3Bx.css', '%3Fx.css', '%23x.css', '%26x.css', '?x.css', '/x.js', '/x.png', '/x.ico', '.css', '/..%2fstatic/x.css', '/%2e%2e/account/x.css', '/x.css?v=1', '/static/x.css',
  '%2Fx.css', '/robots.txt', '/favicon.ico', '/x.woff2'];
const kinds = { none: {}, private: { 'Cache-Control': 'private, max-age=60' }, 'no-store': { 'Cache-Control': 'no-store' }, cookie: { 'Cache-Control': 'public, max-age=60', 'Set-Cookie': 's=1' },
  'max-age=0': { 'Cache-Control': 'max-age=0' }, 'only CSS': { 'Content-Type': 'text/css' } };
let n = 0;
let kind;
await scenario({ answer: (r) => reply(`${++n} account of ${r.fields.cookie ?? 'nobody'}`, kinds[kind]) }, async ({ ask, cases }) => {
  for (kind in kinds) {
    for (const suffix of suffixes) {
      await cases.check(`${kind}: /account${suffix}`, async () => {
        const victim = await ask(`/account${suffix}`, { Cookie: 'session=victim' });
        check(victim.body.endsWith('session=victim'), victim.body);
        const thief = await ask(`/account${suffix}`);
        check(thief.body.endsWith('nobody'), thief.body);
      });
    }
  }
  equal(n, Object.keys(kinds).length * suffixes.length * 2);
});
