// PURGE, BAN and their like purge what the plugins of sites mean by them, byte for byte, on the site's own listener; what is not
// understood is refused and purges nothing; none of them reaches the origin.
// CACHING.md 5.7
import { check, equal, reply, scenario } from '../lib.mjs';

const pages = { '/': 'home', '/blog/': 'list, all', '/blog/a': 'node:1, all', '/blog/a?x=1': 'node:1, all', '/page/2': 'cat_p_1, all', '/other': 'node:10, all',
  '/w/Foo_(bar)': 'pageId_7, all', '/books/1': '/books/1, all', '/wiki/Sagittarius_A*': 'star', '/t3/older': '7', '/t3/rkw': 'abc_7' };
const every = Object.keys(pages);
let n = 0;
const answer = (r) => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60', 'Cache-Tag': pages[r.target] ?? 'none' });
const yaml = (url) => `origin: ${url}\nwait_timeout: 5s\npurge_from: [unix]\npurge_path: /purge`;
// [what, method, target, fields, what is gone; or a status and what is said]
const good = [
  // Proxy Cache Purge, WP Rocket, W3 Total Cache, Nginx Helper, Craft, Shopware
  ['a URL with any query', 'PURGE', '/blog/a', { 'X-Purge-Method': 'default' }, ['/blog/a', '/blog/a?x=1']],
  ['a URL with a query', 'PURGE', '/blog/a?x=1', { 'X-Purge-Method': 'default' }, ['/blog/a?x=1']],
  ['a URL, another spelling', 'PURGE', '/x/../%62log/a?x=1', {}, ['/blog/a?x=1']],
  ['Proxy Cache Purge: all', 'PURGE', '/.*', { 'X-Purge-Method': 'regex' }, every],
  ['Proxy Cache Purge: tags', 'PURGE', '/', { 'X-Purge-Method': 'tags', 'X-Cache-Tags-Pattern': 'node:1|cat_p_1' }, ['/blog/a', '/blog/a?x=1', '/page/2']],
  ['WP Rocket: a page', 'PURGE', '/blog/.*', { 'X-Purge-Method': 'regex' }, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['WP Rocket: the home page', 'PURGE', '/', { 'X-Purge-Method': 'default' }, ['/']],
  ['WP Rocket: its pages', 'PURGE', '/page/.*', { 'X-Purge-Method': 'regex' }, ['/page/2']],
  ['WP Rocket at O2Switch', 'PURGE', '/blog/', { 'X-Purge-Regex': '.*', 'X-VC-Purge-Key': 'k' }, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['GoDaddy', 'BAN', '/blog', {}, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['W3 Total Cache: all, without a word', 'PURGE', '/.*', { 'User-Agent': 'W3 Total Cache', Connection: 'close' }, every],
  ['Nginx Helper: a page by GET', 'GET', '/purge/blog/a?x=1', {}, ['/blog/a?x=1']],
  ['Nginx Helper: below, by GET', 'GET', '/purge/blog/*', {}, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['Nginx Helper: all', 'PURGE', '/purgeall', {}, every],
  ['ngx_cache_purge', 'PURGE', '/blog/*', {}, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['half a name is purged with its folder', 'PURGE', '/page/2.*', { 'X-Purge-Method': 'regex' }, ['/page/2']],
  // MediaWiki: absolute form, and titles that look like patterns
  ['MediaWiki', 'PURGE', 'http://test/w/Foo_(bar)', { 'User-Agent': 'MediaWiki/1.39.4 CdnCacheUpdate', 'Proxy-Connection': 'Keep-Alive' }, ['/w/Foo_(bar)']],
  ['MediaWiki: a title with a *', 'PURGE', 'http://test/wiki/Sagittarius_A*', {}, ['/wiki/Sagittarius_A*']],
  ['MediaWiki, where PHP has no curl', 'PURGE', '/wiki/Sagittarius_A*', { 'User-Agent': 'MediaWiki/1.39.17 CdnCacheUpdate' }, ['/wiki/Sagittarius_A*']],
  ['a * that may be of the name', 'PURGE', '/wiki/Sagittarius*A*', {}, ['/wiki/Sagittarius_A*']],
  ['a * before everything', 'PURGE', '/.*\\.css', {}, every],
  // Magento, Elgentos
  ['Magento: tags', 'PURGE', '/', { 'X-Magento-Tags-Pattern': '((^|,)cat_p_1(,|$))|((^|,)node:1(,|$))' }, ['/page/2', '/blog/a', '/blog/a?x=1']],
  ['Magento: all', 'PURGE', '/', { 'X-Magento-Tags-Pattern': '.*' }, every],
  ['Elgentos', 'PURGE', '/', { 'X-Magento-Tags-Pattern': '((^|,)cat_p_1(,|$))', 'X-Magento-Purge-Soft': '1' }, ['/page/2'], 'soft'],
  // Drupal
  ['Drupal: a tag', 'BAN', '/', { 'Cache-Tags': 'node:1', 'User-Agent': 'varnish_purger module for Drupal 8.' }, ['/blog/a', '/blog/a?x=1']],
  ['Drupal: bundled', 'BAN', '/', { 'Cache-Tags': 'node:10|cat_p_1' }, ['/other', '/page/2']],
  ['Drupal: http purger', 'BAN', '/', { 'Purge-Cache-Tags': 'node:10 cat_p_1' }, ['/other', '/page/2']],
  // Shopware, TYPO3, API Platform, FOSHttpCache
  ['Shopware: tags', 'PURGE', '/', { xkey: 'cat_p_1 node:10' }, ['/page/2', '/other']],
  ['Shopware: all', 'BAN', '/', {}, every],
  ['TYPO3: a page', 'BAN', '/', { 'Varnish-Ban-TYPO3-Sitename': 'abc', 'Varnish-Ban-TYPO3-Pid': '7' }, ['/w/Foo_(bar)', '/t3/older', '/t3/rkw'], 'soft'],
  ['TYPO3: a page, the other order', 'BAN', '/', { 'Varnish-Ban-TYPO3-Pid': '7', 'Varnish-Ban-TYPO3-Sitename': 'abc' }, ['/w/Foo_(bar)', '/t3/older', '/t3/rkw'], 'soft'],
  ['TYPO3: a tag', 'BAN', '/', { 'Varnish-Ban-TYPO3-Sitename': 'abc', 'xkey-purge': 'node:10' }, ['/other'], 'soft'],
  ['TYPO3: all', 'BAN', '/', { 'Varnish-Ban-TYPO3-Sitename': 'abc', 'Varnish-Ban-All': '1' }, every, 'soft'],
  ['API Platform: regex', 'BAN', '/', { 'ApiPlatform-Ban-Regex': '(/books/1|node\\:10)($|\\,)' }, ['/books/1', '/other']],
  ['API Platform: xkey', 'PURGE', '/', { xkey: '/books/1' }, ['/books/1']],
  ['API Platform: Souin', 'PURGE', '/', { 'Surrogate-Key': '/books/1, node:10' }, ['/books/1', '/other']],
  ['FOSHttpCache 3: tags', 'BAN', '/', { 'X-Host': '.*', 'X-Url': '.*', 'X-Content-Type': '.*', 'X-Cache-Tags': '(^|,)(node\\:1|cat_p_1)(,|$)' }, ['/blog/a', '/blog/a?x=1', '/page/2']],
  ['FOSHttpCache 1: tags', 'BAN', '/', { 'X-Host': '.*', 'X-Url': '.*', 'X-Content-Type': '.*', 'X-Cache-Tags': '(node\\:1|cat_p_1)(,.+)?$' }, ['/blog/a', '/blog/a?x=1', '/page/2']],
  ['FOSHttpCache: a path', 'BAN', '/', { 'X-Host': '.*', 'X-Url': '/blog/.*', 'X-Content-Type': '.*' }, ['/blog/', '/blog/a', '/blog/a?x=1']],
  ['FOSHttpCache: a path of a host', 'BAN', '/', { 'X-Host': '^(test|b\\.test)$', 'X-Url': '^/blog/a$', 'X-Content-Type': '.*' }, ['/blog/a', '/blog/a?x=1']],
  ['FOSHttpCache: of another host', 'BAN', '/', { 'X-Host': '^(b\\.test)$', 'X-Url': '.*', 'X-Content-Type': '.*' }, []],
  ['FOSHttpCache: xkey', 'PURGEKEYS', '/', { 'xkey-softpurge': 'node:10 cat_p_1' }, ['/other', '/page/2'], 'soft'],
  ['Symfony: tags', 'PURGETAGS', '/', { 'X-Cache-Tags': 'node:10,cat_p_1' }, ['/other', '/page/2']],
  ['Symfony: all', 'PURGE', '/', { 'Clear-Cache': 'true' }, every],
];
const bad = [
  ['PURGE', '/(a|b).*', { 'X-Purge-Method': 'regex' }, 400, 'no pattern that is understood'], ['PURGE', '/blog/[0-9]+', { 'X-Purge-Method': 'regex' }, 400],
  ['PURGE', '/blog/.*?x=1', { 'X-Purge-Method': 'regex' }, 400, 'has no query'], ['PURGE', '/', { 'X-Purge-Method': 'tags' }, 400, 'not understood'],
  ['PURGE', '/', { 'X-Purge-Path': '(/a|/b)', 'X-Purge-Host': '^(test)$' }, 400, 'X-Purge-Path'], ['PURGE', '/', { 'X-PURGE-PATH-REGEX': '/a' }, 400, 'X-PURGE-PATH-REGEX'],
  ['PURGE', '/', { 'X-Pool': 'cms' }, 400, 'X-Pool'], ['PURGE', '/', { 'X-Magento-Tags-Pattern': 'cat_[0-9]+' }, 400, 'X-Magento-Tags-Pattern'], ['PURGE', '/', { xkey: '' }, 400, 'names no tag'],
  ['PURGEKEYS', '/', {}, 400, 'needs the tags'], ['PURGETAGS', '/', {}, 400, 'needs the tags'], ['BAN', '/', { 'X-Url': '\\.(png|gif)$' }, 400, 'X-Url'],
  ['BAN', '/', { 'X-Host': '.*', 'X-Url': '.*', 'X-Content-Type': 'text/html' }, 400, 'by their type'], ['BAN', '/', { 'Varnish-Ban-TYPO3-Sitename': 'abc' }, 400, 'Varnish-Ban-All'],
  ['BAN', '/', { 'Varnish-Ban-TYPO3-Pid': 'x' }, 400], ['BAN', '/', { 'X-Cache-Tags': '(^|,)(a' }, 400], ['PURGE', '/', { xkey: 'm\xf6' }, 400, 'UTF-8'],
  ['PURGE', '/a*b.*', { 'X-Purge-Method': 'regex' }, 400], ['PURGE', '/', { 'X-Ban-Expression': 'req.url ~ .' }, 400, 'X-Ban-Expression'],
];
await scenario({ answer, yaml }, async ({ ask, cases, freshet, origin }) => {
  const all = async () => { for (const p of every) await ask(p); };
  const state = async () => {
    const gone = [];
    for (const p of every) {
      const s = (await ask(p)).fields['cache-status'];
      if (!/^freshet; hit(?!.*(detail=refreshing|ttl=-))/.test(s) || /ttl=0/.test(s)) gone.push(p);
    }
    await freshet.settle();
    return gone;
  };
  for (const [what, method, target, fields, gone, soft] of good) {
    await cases.check(what, async () => {
      await all();
      const r = await ask(target, fields, { method });
      equal(r.status, 200, r.body);
      check(/^Purged site default: .* \(sequence \d+; read as [^)]+\)\.\n$/.test(r.body), r.body);
      equal(r.body.includes('(soft)'), soft === 'soft', r.body);
      equal((await state()).join(' '), every.filter((p) => gone.includes(p)).join(' '), 'gone');
    });
  }
  await all();
  for (const [method, target, fields, status, says] of bad) {
    await cases.check(`${method} ${target} ${JSON.stringify(fields)} is refused`, async () => {
      const r = await ask(target, fields, { method });
      equal(r.status, status, r.body);
      check(says === undefined || r.body.includes(says), r.body);
      check(/^(Nothing was purged: |400)/.test(r.body), r.body);
      equal((await state()).join(' '), '', 'gone');
    });
  }
  await cases.check('none of them came to the origin', () => equal(origin.requests.filter((r) => !r.line.startsWith('GET /') || r.line.includes('purge')).length, 0));
  await cases.check('the log names the dialect, and status the purge', async () => {
    check(/PURGE from [^,]*, read as X-Magento-Tags-Pattern/.test(freshet.log()), freshet.log().slice(-400));
    check((await freshet.api('GET', '/api/v1/status')).text.includes('everything below'), 'status');
  });
  await cases.check('on the admin listener with its token', async () => {
    await all();
    equal((await freshet.api('PURGE', '/blog/a', undefined, { authorization: 'Bearer wrong', host: 'test' })).status, 401);
    equal((await state()).join(' '), '');
    equal((await freshet.api('PURGE', '/blog/a', undefined, { host: 'test' })).status, 200);
    equal((await state()).join(' '), '/blog/a /blog/a?x=1');
  });
});
