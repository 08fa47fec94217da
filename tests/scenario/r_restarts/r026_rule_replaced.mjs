// While a page's body comes, another answer of its family brings another rule: the page is written to disk with the rule that it came under, which
// nobody else keeps by then.
// CACHING.md 4.6, 6.9
import { equal, gate, reply, scenario } from '../lib.mjs';

const rules = { amber: 'cookie=theme', blue: 'cookie=theme|lang' };
const rest = gate();
const answer = (r) => {
  const who = /theme=(\w+)/.exec(r.fields.cookie)[1], whole = reply(who.repeat(2), { 'Cache-Control': 's-maxage=600', 'Netlify-Vary': rules[who] });
  return who === 'blue' ? whole : [whole.slice(0, -who.length), rest.opened.then(() => who)];
};
const flags = ['--disk', '64M'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const get = async (who) => (await ask('/page', { Cookie: `theme=${who}` })).body;
  await cases.check('the rule is replaced while the body comes', async () => {
    const amber = get('amber');
    await freshet.until('origin_body_bytes_total', '>=', 5);
    equal(await get('blue'), 'blueblue');
    rest.open();
    equal(await amber, 'amberamber');
    await freshet.settle();
  });
  await cases.check('each has his own after a restart', async () => {
    await freshet.restart(['--origin', origin.url, ...flags]);
    equal(await get('blue'), 'blueblue');
    equal(await get('amber'), 'amberamber');
  });
});
