// While one variant is refreshed, a visitor with another cookie value gets his own variant, never the one refreshed.
// scenarios C18, CACHING.md 3.7
// also over tls
import { equal, reply, scenario, soon } from '../lib.mjs';

let hold = false;
const release = [];
let n = 0;
const answer = async (r) => {
  if (hold && r.fields.cookie === 'who=a') await new Promise((resolve) => release.push(resolve));
  return reply(`${++n} for ${r.fields.cookie}`, { 'Cache-Control': 's-maxage=10, stale-while-revalidate=600', 'Netlify-Vary': 'cookie=who' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  equal((await ask('/', { Cookie: 'who=a; other=1' })).body, '1 for who=a; other=1'); // not stored: what the page depends on was not known
  equal((await ask('/', { Cookie: 'who=a; other=1' })).body, '2 for who=a');
  await freshet.advance('15s');
  hold = true;
  await cases.check('stale for a', async () => equal((await ask('/', { Cookie: 'other=2; who=a' })).body, '2 for who=a'));
  await soon(() => release.length !== 0); // the refresh is at the origin: what b asks for comes after it
  await cases.check('b gets his own', async () => equal((await ask('/', { Cookie: 'who=b' })).body, '3 for who=b'));
  release.shift()();
  await freshet.settle();
  hold = false;
  await cases.check('a is new', async () => equal((await ask('/', { Cookie: 'who=a' })).body, '4 for who=a'));
  await cases.check('b is still his', async () => equal((await ask('/', { Cookie: 'who=b' })).body, '3 for who=b'));
  await cases.check('the refresh carried the key value and nothing else', () => equal(origin.requests[2].fields.cookie, 'who=a'));
  await cases.check('four requests', () => equal(origin.requests.length, 4));
});
