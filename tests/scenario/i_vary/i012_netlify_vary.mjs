// Netlify-Vary: which requests share a variant, for each kind of instruction.
// CACHING.md 4 "Netlify-Vary", 4.3, 4.4, 4.7
// also over tls, h2
import { equal, reply, scenario } from '../lib.mjs';

// rule, then groups of requests: those of a group share a page, those of different groups do not. A request is a target or
// [target, fields].
const c = (cookie) => ['/', { Cookie: cookie }];
const h = (fields) => ['/', fields];
const l = (language) => ['/', { 'Accept-Language': language }];
const rows = [
  [null, ['/?a=1&b=2', '/?b=2&a=1'], ['/?a=1'], ['/', '/?'], ['/?a'], ['/?a='], ['/?a=1&a=2'], ['/?a=2&a=1'], ['/?a=1;b=2'], ['/?a=%31'], ['/?A=1']],
  ['query', ['/?a=1&b=2', '/?b=2&a=1'], ['/?a=1'], ['/']],
  ['query=a|b', ['/?a=1', '/?a=1&c=9', '/?c=8&a=1'], ['/?a=1&b=1', '/?b=1&a=1&x'], ['/', '/?c=1'], ['/?a'], ['/?a=']],
  ['query=a,query=b', ['/?a=1&b=2&c=3', '/?b=2&a=1'], ['/?a=1']],
  ['header=X-A|x-b', [h({ 'X-A': '1' }), h({ 'x-a': ' 1 ' }), h({ 'X-A': '1', 'X-C': '2' })], [h({ 'X-B': '1' })], [h({}), h({ 'X-C': '1' })], [h({ 'X-A': '1', 'X-B': '1' })], ['/?q=1']],
  ['cookie=a', [c('a=1'), c('b=2; a=1'), c('a=1; b=3')], [c('a=2')], [c('b=1'), '/', c('A=1'), c('A=2')], [c('a=1; a=2')], [c('a=2; a=1')]],
  ['cookie=a|b', [c('a=1; b=2'), c('b=2; a=1')], [c('a=1')], [c('b=2')]],
  ['cookie=s:presence', [c('s=1'), c('s=2'), c('x=1; s=')], ['/', c('x=1')]],
  ['language=de+nl|en', [l('de'), l('nl'), l('de-AT'), l('NL;q=0.9, en;q=0.1'), l('fr, de;q=0.5')], [l('en'), l('en-GB, de;q=0.5')], [l('fr'), '/', l('*')]],
  ['language=pt|pt-BR', [l('pt'), l('pt-PT')], [l('pt-BR'), l('pt-br, pt;q=0.9')]],
  ['query=a, cookie=u', [['/?a=1&z=1', { Cookie: 'u=1' }], ['/?a=1', { Cookie: 'u=1; v=2' }]], [['/?a=1', { Cookie: 'u=2' }]], [['/?a=2', { Cookie: 'u=1' }]]],
  ['header=User-Agent|X-A', [h({ 'User-Agent': 'x' }), h({ 'User-Agent': 'y' })], [h({ 'X-A': '1', 'User-Agent': 'x' }), h({ 'X-A': '1' })]],
];
let rule;
let n = 0;
const answer = () => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60', ...(rule ? { 'Netlify-Vary': rule } : {}) });
await scenario({ answer }, async ({ ask, cases }) => {
  for (const [i, [text, ...groups]] of rows.entries()) {
    rule = text;
    const get = (r) => (Array.isArray(r) ? ask(`/${i}${r[0].slice(1)}`, r[1]) : ask(`/${i}${r.slice(1)}`));
    await get(['/', { 'X-First': 'teaches the rule' }]);
    const pages = new Map();
    for (const [g, group] of groups.entries()) {
      for (const r of group) {
        await cases.check(`${text}: ${JSON.stringify(r)}`, async () => {
          const body = (await get(r)).body;
          if (pages.has(g)) equal(body, pages.get(g), 'its group has another page');
          for (const [other, b] of pages) if (other !== g) equal(b === body, false, `shared with ${JSON.stringify(groups[other][0])}`);
          pages.set(g, body);
        });
      }
    }
  }
});
