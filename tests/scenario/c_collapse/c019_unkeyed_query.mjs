// A cold page whose rule leaves out a parameter that the page reflects: delivered to him who sent it, never to the next; then
// the parameter does not reach the origin any more.
// scenarios C19, CACHING.md 4.5; hostile h3-07 (Parameter cloaking)
import { equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`page of ${r.target}`, { 'Cache-Control': 's-maxage=60', 'Netlify-Vary': 'query=id' });
await scenario({ answer }, async ({ ask, cases, origin }) => {
  await cases.check('delivered, not stored', async () => {
    const r = await ask('/p?id=1&x=evil');
    equal(r.body, 'page of /p?id=1&x=evil');
    equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=unkeyed-query');
  });
  await cases.check('the next gets his own', async () => equal((await ask('/p?id=1')).body, 'page of /p?id=1'));
  await cases.check('the rule is known: a hit', async () => equal((await ask('/p?x=evil&id=1')).body, 'page of /p?id=1'));
  await cases.check('and a miss is sent without it', async () => equal((await ask('/p?x=evil&id=2')).body, 'page of /p?id=2'));
  await cases.check('three requests', () => equal(origin.requests.map((r) => r.target).join(' '), '/p?id=1&x=evil /p?id=1 /p?id=2'));
});
