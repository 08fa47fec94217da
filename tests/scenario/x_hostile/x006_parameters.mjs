// Parameters: what is not in the key does not reach the origin, and no spelling of one makes freshet and the origin differ.
// hostile h3-07 (Parameter cloaking); CACHING.md 4.3, 4.5, 4.7
import { check, equal, reply, scenario } from '../lib.mjs';

const rules = { '/rule': 'query=a|b', '/shop': 'query=filter[color]|page', '/coded': 'query=filter%5Bcolor%5D|a+b' };
const answer = (r) => {
  const rule = Object.keys(rules).find((path) => r.target.startsWith(path));
  return reply(r.target, { 'Cache-Control': 'max-age=60', ...(rule ? { 'Netlify-Vary': rules[rule] } : {}) });
};
const values = (target) => new URL(target, 'http://x').search;
await scenario({ answer }, async ({ ask, cases, freshet }) => {
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
  // A name is what the origin's form parser makes of it (URL Standard): in every spelling it is the listed one, and keeps its spelling.
  const spellings = (name) => [name, name.replace(/[[\]]/g, (c) => `%${c.charCodeAt(0).toString(16)}`), encodeURIComponent(name),
    [...name].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('')];
  for (const path of ['/shop', '/coded']) {
    await ask(path);
    for (const name of spellings('filter[color]')) {
      await cases.check(`${path}?${name}=red is listed`, async () => {
        for (const value of ['red', 'blue']) equal((await ask(`${path}?x=1&${name}=${value}&utm_source=a`)).body, `${path}?${name}=${value}`);
        equal((await ask(`${path}?${name}=red&%75tm_source=b&_g%61`)).fields['cache-status'].startsWith('freshet; hit'), true, 'hit');
        equal((await ask(path)).body, path);
      });
    }
  }
  for (const name of ['a+b', 'a%20b', '%61+b']) {
    await cases.check(`/coded?${name}=1 is listed`, async () => equal((await ask(`/coded?${name}=1&c=2`)).body, `/coded?${name}=1`));
  }
  await cases.check('a%2Bb is another name', async () => equal((await ask('/coded?a%2Bb=1&c=2')).body, '/coded'));
  await cases.check('values of one name keep their order, however it is spelled', async () => {
    equal((await ask('/plain?a=1&%61=2')).body, '/plain?a=1&%61=2');
    equal((await ask('/plain?%61=2&a=1')).body, '/plain?%61=2&a=1');
  });
  await cases.check('framework parameters in another spelling stay as well', async () => {
    equal((await ask('/rule/g?%5frsc=1&x=1')).body, '/rule/g?%5frsc=1&x=1');
    equal((await ask('/rule/g?%5frsc=1&x=1')).body, '/rule/g?%5frsc=1');
  });
  // A '%' that begins no encoding passes in the query as it is.
  for (const query of ['q=100%', 'utm_campaign=50%_off', 'a=%u0411', 'a=%zz', '%', '%=%&b=%2', 'a=%%41', 'b=%c3%28']) {
    await cases.check(`?${query} passes`, async () => {
      const sent = query.startsWith('utm') ? '/percent' : `/percent?${query}`;
      equal((await ask(`/percent?${query}`)).body, sent);
      equal((await ask(`/percent?${query}`)).fields['cache-status'].startsWith('freshet; hit'), true, 'hit');
      equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: [`http://test/percent?${query}`] }))).status, 202);
      equal((await ask(`/percent?${query}`)).fields['cache-status'].includes('; fwd='), true, 'miss');
      equal(freshet.run('purge', '--url', `http://test/percent?${query}`).status, 0, 'freshet purge');
      equal((await ask(`/percent?${query}`)).fields['cache-status'].includes('; fwd='), true, 'miss');
      equal(freshet.run('explain', `http://test/percent?${query}`).status, 0, 'freshet explain');
    });
  }
});
