// Cookies that only count visitors never count: they keep no page from being stored, make no copy of a page that varies on Cookie, and
// reach no page that may be stored. What passes keeps them.
// CACHING.md 4.5
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`page for ${r.fields.cookie ?? 'none'}`, {
  'Cache-Control': r.target === '/private' ? 'private' : 's-maxage=60', ...(r.target.startsWith('/wiki') ? { Vary: 'Cookie' } : {}),
});
const yaml = (url) => `sites:\n  shop:\n    hosts: [test]\n    origin: ${url}\n  own:\n    hosts: [own.test]\n    origin: ${url}\n    ignore_cookies: [analytics, "seen_*", consent]\n` +
  `  none:\n    hosts: [none.test]\n    origin: ${url}\n    ignore_cookies: []\n`;
await scenario({ answer, yaml }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];
  const seen = ['_ga=GA1.1.2', '_ga_ABC123=GS1', '_gid=x', '_gcl_au=1', '_fbp=fb.1', '_fbc=fb.1', '_hjSessionUser_1=x', '_pk_id.1.abcd=x', '_pk_ses.1.abcd=1', '__utma=1',
    '_clck=x', '_uetsid=x', 'hubspotutk=x', 'ajs_anonymous_id=x', 'mp_0123_mixpanel=x', 'ph_phc_x_posthog=x', '__cf_bm=x'];
  await cases.check('each of them: stored at once', async () => {
    for (const [i, cookie] of seen.entries()) {
      const r = await ask(`/p${i}`, { Cookie: cookie });
      check(/fwd=uri-miss; stored/.test(status(r)) && r.body === 'page for none', `${cookie}: ${status(r)} ${r.body}`);
    }
  });
  await cases.check('one page that varies on Cookie for all', async () => {
    equal((await ask('/wiki', { Cookie: seen.join('; ') })).body, 'page for none');
    for (const fields of [{}, { Cookie: '_ga=other' }]) check(/; hit/.test(status(await ask('/wiki', fields))), JSON.stringify(fields));
    equal((await ask('/wiki', { Cookie: '_ga=1; lang=de; _gid=2' })).body, 'page for lang=de');
    check(/; hit/.test(status(await ask('/wiki', { Cookie: 'lang=de' }))), 'the others count');
  });
  await cases.check('in two lines', async () => equal((await ask('/wiki', [['Cookie', '_ga=1; a=1'], ['Cookie', 'b=2;_gid=1']])).body, 'page for a=1; b=2'));
  await cases.check('of more than 128 none is left out', async () => {
    const many = `_ga=1; ${'c=1; '.repeat(130)}`;
    const r = await ask('/wiki?many', { Cookie: many.trim() });
    check(/bypass-cookie/.test(status(r)) && r.body.includes('_ga=1'), status(r));
  });
  await cases.check('names that look alike count', async () => {
    for (const cookie of ['_gax=1', '_GA=1', 'a_ga=1', '_pk=1']) equal((await ask(`/wiki?${cookie}`, { Cookie: cookie })).body, `page for ${cookie}`);
  });
  await cases.check('what passes keeps them, in its own spelling', async () => {
    await ask('/private', { Cookie: 'a=1;  _ga=2' });
    equal((await ask('/private', { Cookie: 'a=1;  _ga=2' })).body, 'page for a=1;  _ga=2');
    equal((await ask('/x', { Cookie: 'a=1;  _ga=2' }, { method: 'POST', body: '' })).body, 'page for a=1;  _ga=2');
  });
  await cases.check('names of the site', async () => {
    equal((await ask('/wiki', { Host: 'own.test', Cookie: 'consent=1; seen_x=1; _ga=1; a=1' })).body, 'page for a=1');
    equal((await ask('/wiki', { Host: 'none.test', Cookie: '_ga=1' })).body, 'page for _ga=1');
  });
  await freshet.settle();
  check(origin.requests.length > 0, 'requests');
});
