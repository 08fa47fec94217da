// Parameters: what is not in the key does not reach the origin, and no spelling of one makes freshet and the origin differ.
// hostile 4 "Parameter cloaking"; CACHING.md 4.3, 4.5, 4.7
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(r.target, { 'Cache-Control': 'max-age=60', ...(r.target.startsWith('/rule') ? { 'Netlify-Vary': 'query=a|b' } : {}) });
const values = (target) => new URL(target, 'http://x').search;
await scenario({ answer }, async ({ ask, cases }) => {
  // What the first sends must not show in the page of the second.
  const pairs = [['?utm_content=x;callback=evil', ''], ['?utm_source=evil', ''], ['?a=1&utm_source=evil', '?a=1'], ['?a=1&fbclid=evil', '?a=1'], ['?gclid=evil&a=1', '?a=1'],
    ['?%75tm_source=evil', ''], ['?UTM_SOURCE=evil', ''], ['?utm_source', ''], ['?a=1&a=evil', '?a=1'], ['?a=evil&a=1', '?a=1'], ['?q=1%26b=evil', '?q=1'], ['?q=1;b=evil', '?q=1'],
    ['?a=1&&b=evil', '?a=1'], ['?a[]=evil', '?a=1'], ['?a%00=evil', ''], ['?a=1#evil', '?a=1'], ['?a=1%23evil', '?a=1'], ['?a =evil', '?a=1'], ['?a+=evil', '?a=1'], ['?=evil', '?']];
  for (const base of ['/plain', '/rule']) {
    await ask(base);
    for (const [i, [evil, clean]] of pairs.entries()) {
      await cases.check(`${base}${evil} then ${clean}`, async () => {
        const path = `${base}/${i}`;
        if (base === '/rule') await ask(path);
        await ask(path + evil.replace(/ /g, '%20'));
        const r = await ask(path + clean);
        equal(r.status, 200);
        check(!r.body.includes('evil'), `the page is that of ${r.body}`);
      });
    }
  }
  await cases.check('tracking parameters do not reach the origin', async () => {
    const all = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_term', 'utm_content', 'utm_id', 'fbclid', 'gclid', 'gbraid', 'wbraid', 'dclid', 'msclkid', 'twclid', 'li_fat_id', 'mc_cid',
      'mc_eid', '_ga', '_gl', 'yclid', '_hsenc', '_hsmi', 'vero_id', 'wickedid', 'oly_anon_id', 'oly_enc_id', 'igshid'];
    equal(values((await ask(`/track?x=1&${all.map((n) => `${n}=1`).join('&')}&y=2`)).body), '?x=1&y=2');
    for (const name of all) equal((await ask(`/track/${name}?${name}=a`)).body, `/track/${name}`);
    for (const name of all) equal((await ask(`/track/${name}?${name}=b`)).fields['cache-status'].startsWith('freshet; hit'), true, `${name}: hit`);
  });
  for (const name of ['_rsc', 'x-sveltekit-invalidated', '_routes', '__nextDataReq']) {
    await cases.check(`${name} is never dropped: the framework answers another body for it`, async () => {
      await ask(`/rule/f?a=1`);
      equal((await ask(`/rule/f?a=1&${name}=1`)).body, `/rule/f?a=1&${name}=1`);
      equal((await ask(`/rule/f?a=1`)).body, '/rule/f?a=1');
      equal((await ask(`/rule/f?a=1&${name}=2`)).body, `/rule/f?a=1&${name}=2`);
    });
  }
});
