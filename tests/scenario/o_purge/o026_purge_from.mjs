// Who is not in purge_from gets 405 and a sentence, and purges nothing; behind a trusted proxy the visitor counts and not the proxy, and
// who hides behind one that is not trusted is a stranger.
// CACHING.md 5.7; hostile h3-17 (Purge API abuse)
import { check, equal, Raw, reply, request, scenario } from '../lib.mjs';

const pages = ['/a', '/b'];
let n = 0;
const answer = () => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 't' });
const yaml = (url) => `trusted_proxies: [127.0.0.2, "::1", 10.9.0.0/16]
sites:
  one:
    hosts: [one.test]
    origin: ${url}
    purge_from: [127.0.0.0/8, 192.0.2.0/24, 10.9.0.7]
    purge_path: /purge
  two:
    hosts: [two.test]
    origin: ${url}
    purge_from: [192.0.2.9]
  none:
    hosts: [none.test]
    origin: ${url}
`;
const flags = ['--listen', '127.0.0.1:0'];
await scenario({ answer, yaml, flags }, async ({ cases, freshet, origin }) => {
  // From 127.0.0.1, or from 127.0.0.2, which is a trusted proxy.
  const ask = async (target, fields, method = 'GET', from = '127.0.0.1') => {
    const c = new Raw({ ...freshet.tcp, localAddress: from });
    try {
      await c.send(request(target, fields, { method }));
      return (await c.answers(1, [method])).at(-1);
    } finally {
      c.close();
    }
  };
  const stored = async (host) => {
    const all = [];
    for (const p of pages) all.push((await ask(p, { Host: host })).fields['cache-status'].startsWith('freshet; hit'));
    return all.every(Boolean);
  };
  const fill = async () => { for (const host of ['one.test', 'two.test', 'none.test']) await stored(host); };
  const rows = [
    ['from the network itself', '127.0.0.1', 'one.test', {}, true],
    ['a site whose list has him not', '127.0.0.1', 'two.test', {}, false],
    ['a site without a list', '127.0.0.1', 'none.test', {}, false],
    ['a proxy that is not trusted', '127.0.0.1', 'one.test', { 'X-Forwarded-For': '127.0.0.1' }, false],
    ['a proxy that is not trusted, by Via', '127.0.0.1', 'one.test', { Via: '1.1 caddy' }, false],
    ['a proxy that is not trusted, by Forwarded', '127.0.0.1', 'one.test', { Forwarded: 'for=127.0.0.1' }, false],
    ['a tunnel, by CF-Connecting-IP', '127.0.0.1', 'one.test', { 'CF-Connecting-IP': '203.0.113.1' }, false],
    ['a CDN, by True-Client-IP', '127.0.0.1', 'one.test', { 'True-Client-IP': '127.0.0.1' }, false],
    ['a CDN, by CDN-Loop', '127.0.0.1', 'one.test', { 'CDN-Loop': 'fastly' }, false],
    ['a proxy that is not trusted, by X-Real-IP', '127.0.0.1', 'one.test', { 'X-Real-IP': '127.0.0.1' }, false],
    ['a proxy that is not trusted, by X-Forwarded-Proto', '127.0.0.1', 'one.test', { 'X-Forwarded-Proto': 'https' }, false],
    ['a trusted proxy that names its server alone', '127.0.0.2', 'one.test', { 'X-Forwarded-Server': 'p' }, false],
    ['a program at the trusted proxy', '127.0.0.2', 'one.test', {}, true],
    ['a visitor of the trusted proxy', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '203.0.113.5' }, false],
    ['a visitor who claims more', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '127.0.0.1, 203.0.113.5' }, false],
    ['a visitor in the list', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '192.0.2.9' }, true],
    ['one through two proxies', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '192.0.2.9, 10.9.3.4' }, true],
    ['a stranger through two proxies', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '203.0.113.5, 10.9.0.7' }, false],
    ['nobody knows who, through two proxies', '127.0.0.2', 'one.test', { 'X-Forwarded-For': 'unknown, 10.9.0.7' }, false],
    ['the inner proxy itself', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '10.9.0.7' }, true],
    ['a trusted proxy that does not say for whom', '127.0.0.2', 'one.test', { Via: '1.1 caddy' }, false],
    ['an empty list', '127.0.0.2', 'one.test', { 'X-Forwarded-For': '' }, false],
    ['a list of commas', '127.0.0.2', 'one.test', { 'X-Forwarded-For': ' , ,' }, false],
    ['the other site, for whom its list has', '127.0.0.2', 'two.test', { 'X-Forwarded-For': '192.0.2.9' }, true],
  ];
  for (const [what, from, host, fields, may] of rows) {
    for (const method of ['PURGE', 'BAN']) {
      await cases.check(`${method}: ${what}`, async () => {
        await fill();
        const r = await ask('/.*', { Host: host, ...fields }, method, from);
        equal(r.status, may ? 200 : 405, r.body);
        check(r.body.startsWith(may ? 'Purged site' : 'Nothing was purged: this is for the networks in the setting purge_from'), r.body);
        if (!may) check(r.fields.allow.includes('GET'), 'Allow');
        equal(await stored(host), !may, 'stored');
      });
    }
  }
  await cases.check('the log says which of three reasons it was, and strangers do not learn it', async () => {
    for (const [host, fields, why] of [
      ['two.test', {}, 'refused PURGE for two.test from 127.0.0.1: purge_from does not have its address'],
      ['none.test', {}, 'refused PURGE for none.test from 127.0.0.1: purge_from is empty'],
      ['one.test', { Via: '1.1 caddy' }, 'refused PURGE for one.test from 127.0.0.1: it came through a proxy that trusted_proxies does not have'],
    ]) {
      await freshet.advance('11s');
      const before = (await freshet.gauges()).purges_refused_total;
      const r = await ask('/a', { Host: host, ...fields }, 'PURGE');
      equal(r.status, 405);
      check(!/caddy|proxy|empty|address/.test(r.body), r.body);
      await freshet.saying(why.replaceAll('.', '\\.'));
      equal((await freshet.gauges()).purges_refused_total, before + 1);
    }
  });
  await cases.check('by GET a stranger gets 403, and nobody comes to the origin', async () => {
    await fill();
    equal((await ask('/purge/a', { Host: 'one.test', 'X-Forwarded-For': '127.0.0.1' })).status, 403);
    equal(await stored('one.test'), true);
    equal((await ask('/purge/a', { Host: 'one.test' })).status, 200);
    equal(await stored('one.test'), false);
  });
  await cases.check('where it is not set, that path is a page', async () => {
    equal((await ask('/purge/a', { Host: 'two.test' })).status, 200);
    check(origin.requests.some((r) => r.line.startsWith('GET /purge/a')), 'asked');
  });
  await cases.check('tags for a host of no site, as Magento sends the server\'s: each site that lets him', async () => {
    await fill();
    const r = await ask('/', { Host: '127.0.0.1:8080', 'X-Magento-Tags-Pattern': '((^|,)t(,|$))' }, 'PURGE');
    equal(r.status, 200, r.body);
    equal(r.body.replace(/\(.*/s, ''), 'Purged site one: tag t ');
    equal(await stored('one.test'), false);
    equal(await stored('two.test') && await stored('none.test'), true);
    await fill();
    const both = await ask('/', { Host: 'localhost', xkey: 't', 'X-Forwarded-For': '192.0.2.9' }, 'PURGE', '127.0.0.2');
    check(both.body.startsWith('Purged site one: tag t; site two: tag t '), both.body);
    equal(await stored('one.test') || await stored('two.test'), false);
    equal((await ask('/', { Host: 'localhost', xkey: 't', 'X-Forwarded-For': '203.0.113.5' }, 'PURGE', '127.0.0.2')).status, 405);
  });
  await cases.check('a URL of no site is 404', async () => {
    const r = await ask('/a', { Host: 'localhost' }, 'PURGE');
    equal(r.status, 404, r.body);
    check(r.body.includes('no site has the host'), r.body);
  });
  await cases.check('explain says so', async () => {
    const { status, text } = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://one.test/purge/a')}`);
    equal(status, 400);
    check(text.includes('purges what is named behind /purge (setting purge_path)'), text);
    equal((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://two.test/purge/a')}`)).status, 200);
  });
  await cases.check('check warns of lists that let everybody or nobody purge', async () => {
    const said = (...args) => freshet.run('check', '--origin', origin.url, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--token', 'token-of-the-tests', ...args).stderr;
    check(said('--purge-from', '0.0.0.0/0').includes('site default: purge_from lets everybody purge'), 'everybody');
    check(said('--purge-path', '/purge').includes('nobody may purge below purge_path'), 'nobody');
    check(!said('--purge-from', '10.0.0.0/8', '--purge-path', '/purge').includes('purge'), 'neither');
  });
  await cases.check('other methods that nobody knows still go to the origin', async () => {
    await ask('/x', { Host: 'one.test' }, 'UNLOCKED');
    check(origin.requests.some((r) => r.line.startsWith('UNLOCKED /x')), 'asked');
    check(!origin.requests.some((r) => /^(PURGE|BAN)/.test(r.line)), 'none of the others');
  });
});
