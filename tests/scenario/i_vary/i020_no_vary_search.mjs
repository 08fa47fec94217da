// No-Vary-Search of a 2xx decides which parameters make another page, beside Netlify-Vary; what makes none does not reach the origin,
// and the field reaches the browser.
// CACHING.md 4.10, 4.5, 5.3, 5.5
import { check, equal, reply, scenario } from '../lib.mjs';

const of_path = {
  '/params': { 'No-Vary-Search': 'params=("utm" "a b")' },
  '/except': { 'No-Vary-Search': 'except=("id")' },
  '/browsers': { 'No-Vary-Search': 'params, except=("id")' },
  '/both': { 'No-Vary-Search': 'params=("page")', 'Netlify-Vary': 'query=id|page' },
  '/invalid': { 'No-Vary-Search': 'params=(utm)' },
  '/order': { 'No-Vary-Search': 'key-order' },
};
const minute = { 'Cache-Control': 's-maxage=60' };
let now = {};
const answer = (r) => {
  const [path, query] = r.target.split('?');
  if (query?.includes('missing')) return reply('gone', minute, '404 Not Found');
  return reply(`page of ${r.target}`, { ...minute, ...(of_path[path] ?? now) });
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n  book:\n    hosts: [book]\n    origin: ${url}\n    profile: rfc9111\n`;
await scenario({ answer, yaml }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];
  const hit = async (target, body, fields) => {
    const r = await ask(target, fields);
    check(/freshet; hit/.test(status(r)), `${target}: ${status(r)}`);
    equal(r.body, body, target);
  };
  const miss = async (target, sent) => {
    const r = await ask(target);
    check(/fwd=.*stored/.test(status(r)), `${target}: ${status(r)}`);
    equal(origin.requests.at(-1).target, sent ?? target);
  };

  await cases.check('a parameter that makes no page, on a cold page: delivered, not stored', async () => {
    const r = await ask('/params?utm=evil&q=1');
    equal(r.body, 'page of /params?utm=evil&q=1');
    equal(status(r), 'freshet; fwd=uri-miss; detail=unkeyed-query');
    equal(r.fields['no-vary-search'], 'params=("utm" "a b")');
  });
  await cases.check('then it reaches the origin no more', () => miss('/params?utm=1&q=1', '/params?q=1'));
  await cases.check('whatever it is, and however its name is spelled', async () => {
    for (const query of ['q=1', 'q=1&utm=2', '%75tm=1&q=1&utm', 'a+b=1&q=1', 'q=1&a%20b=2'])
      await hit(`/params?${query}`, 'page of /params?q=1');
  });
  await cases.check('the field is sent from the cache, too', async () => equal((await ask('/params?q=1')).fields['no-vary-search'], 'params=("utm" "a b")'));
  await cases.check('others make other pages', async () => {
    await miss('/params?q=2');
    await miss('/params?q=1&x=1');
    await miss('/params');
    await hit('/params?utm=9', 'page of /params');
  });
  await cases.check('those of frameworks always count', () => miss('/params?_rsc=1&utm=1', '/params?_rsc=1'));
  for (const path of ['/except', '/browsers'])
    await cases.check(`${of_path[path]['No-Vary-Search']}`, async () => {
      await miss(`${path}?id=1`);
      await hit(`${path}?x=1&id=1&y`, `page of ${path}?id=1`);
      await miss(`${path}?x=1&id=2`, `${path}?id=2`);
      await miss(`${path}?x=1`, path);
    });
  await cases.check('beside query= a parameter counts when neither leaves it out', async () => {
    await miss('/both?id=1');
    await hit('/both?id=1&page=2&utm=1', 'page of /both?id=1');
    await miss('/both?page=3&id=2', '/both?id=2');
  });
  await cases.check('an invalid field is ignored', async () => {
    await miss('/invalid?utm=1');
    await miss('/invalid?utm=2');
    const { text } = await freshet.api('GET', '/api/v1/explain?url=http%3A%2F%2Ftest%2Finvalid%3Futm%3D1');
    equal(JSON.parse(text).stored.no_vary_search_invalid, 'params=(utm)');
    const { stdout } = freshet.run('explain', 'http://test/invalid?utm=1');
    check(/No-Vary-Search: params=\(utm\) \(invalid, so every parameter counts\)/.test(stdout), stdout);
    check((await freshet.gauges()).no_vary_search_invalid_total >= 2, 'counted');
  });
  await cases.check('explain names the rule and where it comes from', () => {
    const { stdout } = freshet.run('explain', 'http://test/both?id=1&page=2');
    check(/query=id\|page; no-vary-search: params=\("page"\) \(from Netlify-Vary and No-Vary-Search\)/.test(stdout), stdout);
  });
  await cases.check('the order of parameters, where it counts', async () => {
    const book = { Host: 'book' };
    await ask('/order?b=1&a=1', book);
    await hit('/order?a=1&b=1', 'page of /order?b=1&a=1', book);
    await ask('/plain?b=1&a=1', book);
    check(/fwd/.test(status(await ask('/plain?a=1&b=1', book))), 'without the field it does');
  });
  await cases.check('an error is held to it, and brings none', async () => {
    equal((await ask('/params?missing&utm=1')).status, 404);
    equal(origin.requests.at(-1).target, '/params?missing');
    await hit('/params?missing&utm=2', 'gone');
    await hit('/params?q=1&utm=3', 'page of /params?q=1');
  });
  await cases.check('a 2xx without it takes it away', async () => {
    now = { 'No-Vary-Search': 'params' };
    await miss('/changing');
    await hit('/changing?a=1', 'page of /changing');
    now = {};
    await freshet.advance('61s');
    await miss('/changing');
    await miss('/changing?a=1');
  });
  await cases.check('what was left out is asked for again when the answer says that it counts', async () => {
    now = { 'No-Vary-Search': 'params' };
    await miss('/grows');
    now = {};
    await freshet.advance('61s');
    const r = await ask('/grows?a=1');
    equal(r.body, 'page of /grows?a=1');
    equal(origin.requests.slice(-2).map((q) => q.target).join(' '), '/grows /grows?a=1');
  });
  await cases.check('a purge of a URL with such a parameter finds the page', async () => {
    const { status: code } = freshet.run('purge', '--url', 'http://test/params?utm=7&q=1');
    equal(code, 0);
    await miss('/params?q=1');
  });
  await cases.check('an unsafe request to a URL with such a parameter invalidates the page', async () => {
    await ask('/params'); // anew: it had expired
    await hit('/params', 'page of /params');
    await ask('/params?utm=7', {}, { method: 'POST', body: 'x' });
    await miss('/params');
  });
});
