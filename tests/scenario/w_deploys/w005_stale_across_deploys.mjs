// With stale_across_deploys a page of an earlier release stands in for a failing origin, as far as its own windows permit it; it is
// never stored under the live release, and never served otherwise.
// CACHING.md 5.9
import { Origin, check, equal, reply, scenario } from '../lib.mjs';

const page = { 'Cache-Control': 'max-age=600, stale-if-error=600' };
const one = (r) => reply(`one ${r.target}`, r.target === '/strict' ? { 'Cache-Control': 'max-age=600, must-revalidate' } : page);
const two = await new Origin((r) => (r.target === '/503' ? reply('no', {}, '503 Service Unavailable') : reply(`two ${r.target}`, page))).listen();
await scenario({ answer: one, flags: ['--stale-across-deploys'] }, async ({ ask, cases, freshet }) => {
  await cases.check('a page of before for a status of failure and for an origin that is gone', async () => {
    for (const t of ['/a', '/503', '/strict', '/purged']) await ask(t);
    equal((await freshet.verb('deploy', '--origin', two.url)).status, 0);
    equal((await ask('/a')).body, 'two /a');
    for (let i = 0; i < 2; i++) {
      const a = await ask('/503');
      equal(a.body, 'one /503');
      check(/^freshet; hit; ttl=\d+; detail=stale-error$/.test(a.fields['cache-status']), a.fields['cache-status']);
    }
    await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: ['http://test/purged'] }));
    await two.close();
    equal((await ask('/strict')).status, 502);
    equal((await ask('/purged')).status, 502);
    equal((await ask('/never')).status, 502);
    check((await ask('/a')).body === 'two /a', 'its own page first');
  });
});
