// A cookie that the page does not name does not reach a page that may be stored: what a miss shows is what a hit shows. While it is not
// known what the page names, the answer is the visitor's alone; the next one is asked without his cookies and is for all. A page that is
// for nobody without them is asked for with them.
// CACHING.md 4.5
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const minute = { 'Cache-Control': 's-maxage=60', ETag: '"v"' };
const held = [];
let hold = false;
const named = { '/theme': 'cookie=theme', '/presence': 'cookie=user:presence' };
const page = (r) => {
  const cookie = r.fields.cookie ?? 'none', path = r.target.split('?')[0];
  if (path === '/account') return cookie === 'none' ? ['HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n'] : reply(`account of ${cookie}`, { 'Cache-Control': 'private' });
  if (path === '/session') return reply(`page of ${cookie}`, { ...minute, ...(cookie === 'none' ? { 'Set-Cookie': 'sid=new' } : {}) });
  if (path === '/wiki') return reply(`wiki of ${cookie}`, { ...minute, Vary: 'Cookie' });
  if (path === '/grows') return reply(`grows for ${cookie}`, { ...minute, ...(grown ? { 'Netlify-Vary': 'cookie=theme' } : {}) });
  if (path === '/broken' && broken) return reply(`broken for ${cookie}`, {}, '500 Internal Server Error');
  if (path === '/once') return reply(`once for ${cookie}`, once ? { 'Cache-Control': 'private' } : minute);
  if (path === '/gone') return reply(`gone for ${cookie}`, minute, '404 Not Found');
  return reply(`page for ${cookie}`, { ...minute, ...(named[path] ? { 'Netlify-Vary': named[path] } : {}) });
};
let grown = false, broken = false, once = true;
const answer = async (r) => {
  if (hold) await new Promise((release) => held.push(release));
  return page(r);
};
const yaml = (url) => `sites:\n  shop:\n    hosts: [test]\n    origin: ${url}\n    bypass_cookies: []\n  open:\n    hosts: [open.test]\n    origin: ${url}\n    unkeyed_cookies: forward\n` +
  `  book:\n    hosts: [book.test]\n    origin: ${url}\n    profile: rfc9111\n`;
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];
  const bob = { Cookie: 'user=Bob' };
  const fetched = async (what) => {
    const before = origin.requests.length;
    const r = await what();
    await freshet.settle();
    return { r, cookies: origin.requests.slice(before).map((q) => q.fields.cookie ?? 'none') };
  };
  const is = async (path, fields, body, detail, cookies) => {
    const { r, cookies: got } = await fetched(() => ask(path, fields));
    equal(r.body, body, 'body');
    check(detail.test(status(r)), status(r));
    if (cookies) equal(got.join(' | '), cookies.join(' | '), 'what the origin saw');
  };
  await cases.check('the first is his alone', () => is('/a', bob, 'page for user=Bob', /fwd=uri-miss; detail=unkeyed-cookie$/, ['user=Bob']));
  await cases.check('the next is for all', () => is('/a', bob, 'page for none', /fwd=uri-miss; stored$/, ['none']));
  await cases.check('and stays so', () => is('/a', { Cookie: 'user=Eve' }, 'page for none', /; hit/, []));
  await cases.check('who comes without cookies stores at once', () => is('/b', {}, 'page for none', /stored/, ['none']));
  await cases.check('what is renewed is asked for without them', async () => {
    await freshet.advance('61s');
    await is('/b', bob, 'page for none', /fwd=stale/, ['none']);
  });
  await cases.check('each query is known by then', () => is('/a?x=1', bob, 'page for none', /stored/, ['none']));
  await cases.check('a 404 too', async () => {
    await is('/gone', bob, 'gone for user=Bob', /detail=unkeyed-cookie/, ['user=Bob']);
    await is('/gone', bob, 'gone for none', /stored/, ['none']);
  });

  await cases.check('what the page names is sent, and nothing else', async () => {
    const his = { Cookie: 'user=Bob; theme=dark' };
    await is('/theme', his, 'page for user=Bob; theme=dark', /detail=unkeyed-cookie/);
    await is('/theme', his, 'page for theme=dark', /stored/, ['theme=dark']);
    await is('/theme', { Cookie: 'theme=dark; user=Eve' }, 'page for theme=dark', /; hit/, []);
    await is('/theme', bob, 'page for none', /stored/, ['none']);
  });
  await cases.check('only named ones: stored at once', () => is('/theme?2', { Cookie: 'theme=dark' }, 'page for theme=dark', /stored/, ['theme=dark']));
  await cases.check('a cookie that is named by presence keeps its value', async () => {
    await is('/presence', bob, 'page for user=Bob', /stored/, ['user=Bob']);
    await is('/presence', { Cookie: 'a=1' }, 'page for none', /stored/, ['none']);
  });
  await cases.check('Vary: Cookie names all', async () => {
    await is('/wiki', bob, 'wiki of user=Bob', /stored/, ['user=Bob']);
    await is('/wiki', bob, 'wiki of user=Bob', /; hit/, []);
    await is('/wiki', { Cookie: 'user=Eve' }, 'wiki of user=Eve', /stored/, ['user=Eve']);
  });
  await cases.check('a rule that grows: asked again with what it names', async () => {
    await is('/grows', {}, 'grows for none', /stored/);
    await freshet.advance('61s');
    grown = true;
    const { r, cookies } = await fetched(() => ask('/grows', { Cookie: 'theme=dark; a=1' }));
    equal(r.body, 'grows for theme=dark');
    equal(cookies.join(' | '), 'none | theme=dark');
    await is('/grows', {}, 'grows for none', /; hit/, []);
  });

  await cases.check('a herd with cookies before a cold page: two fetches', async () => {
    const before = origin.requests.length;
    hold = true;
    const all = Array.from({ length: 30 }, (_, i) => ask('/herd', { Cookie: `user=u${i}` }));
    await soon(() => held.length === 1, 5000);
    await freshet.until('requests', '==', 30);
    held.splice(0).forEach((release) => release());
    await soon(() => held.length === 1, 5000);
    held.splice(0).forEach((release) => release());
    hold = false;
    const bodies = (await Promise.all(all)).map((r) => r.body);
    equal(origin.requests.length - before, 2, 'fetches');
    equal(bodies.filter((b) => b === 'page for none').length, 29, 'the page of all');
    equal(bodies.filter((b) => /u\d/.test(b)).length, 1, 'his own');
  });

  await cases.check('a page of his own is his, whoever came before', async () => {
    for (let i = 0; i < 2; i++) await is('/account', { Cookie: `sid=${i}` }, `account of sid=${i}`, /detail=private/, [`sid=${i}`]);
    await freshet.advance('61s');
    await is('/account', { Cookie: 'sid=3' }, 'account of sid=3', /detail=private/, ['sid=3']);
  });
  await cases.check('once it was for all, and is not any more: he is asked for again with his cookies', async () => {
    once = false;
    await is('/once', {}, 'once for none', /stored/);
    once = true;
    await freshet.advance('61s');
    await is('/once', bob, 'once for user=Bob', /detail=private/, ['none', 'user=Bob']);
    await is('/once', bob, 'once for user=Bob', /detail=private/, ['user=Bob']);
  });
  await cases.check('who has no session gets one, who has one gets the page: asked twice once a minute, not each time', async () => {
    await is('/session', { Cookie: 'sid=1' }, 'page of sid=1', /detail=unkeyed-cookie/, ['sid=1']);
    await is('/session', { Cookie: 'sid=1' }, 'page of sid=1', /detail=unkeyed-cookie/, ['none', 'sid=1']);
    for (let i = 0; i < 3; i++) await is('/session', { Cookie: 'sid=1' }, 'page of sid=1', /detail=unkeyed-cookie/, ['sid=1']);
    await freshet.advance('61s');
    await is('/session', { Cookie: 'sid=1' }, 'page of sid=1', /detail=unkeyed-cookie/, ['none', 'sid=1']);
  });
  await cases.check('an origin that fails is not asked twice', async () => {
    await is('/broken', {}, 'page for none', /stored/);
    await freshet.advance('61s');
    broken = true;
    await is('/broken', bob, 'broken for none', /detail=status/, ['none']);
  });
  await cases.check('what passes keeps them', async () => {
    const { cookies } = await fetched(() => ask('/a', { ...bob, Cookie: 'user=Bob; _ga=1' }, { method: 'POST', body: 'x' }));
    equal(cookies.join(), 'user=Bob; _ga=1');
  });
  await cases.check('forwarded by setting, and in rfc9111', async () => {
    for (const host of ['open.test', 'book.test']) await is(`/f`, { Host: host, ...bob }, 'page for user=Bob', /stored/, ['user=Bob']);
  });
});
