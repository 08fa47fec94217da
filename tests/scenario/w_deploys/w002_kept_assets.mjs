// An asset outlives a deploy: it is served at once, the new origin is asked about it once, and when that answers 404, 410 or a page
// in its place, it is kept for as long as the setting says. What is missing below an asset prefix is never stored.
// CACHING.md 5.9, 5.10
import zlib from 'node:zlib';
import { Origin, check, equal, reply, scenario, soon } from '../lib.mjs';

const asset = { 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': 'text/javascript' };
const html = { 'Content-Type': 'text/html', 'Cache-Control': 'public, max-age=60' };
const old = (r) => {
  if (r.target === '/assets/missing.js') return reply('no', { 'Cache-Control': 'public, max-age=600', Expires: 'Tue, 01 Jan 2030 00:00:00 GMT' }, '404 Not Found');
  if (r.target === '/_nuxt/builds/latest.json') return reply('{"id":1}', { ...asset, 'Content-Type': 'application/json' });
  if (r.target === '/assets/short.js') return reply('short', { ...asset, 'Cache-Control': 'public, max-age=60, immutable' });
  const coding = /^\/assets\/coded-(gzip|br|zstd)\.js$/.exec(r.target)?.[1];
  if (coding) {
    const text = Buffer.from('x'.repeat(70000)), coded = { gzip: zlib.gzipSync, br: zlib.brotliCompressSync, zstd: (b) => b }[coding](text);
    return reply(coded.toString('latin1'), { ...asset, 'Content-Encoding': coding, Vary: 'Accept-Encoding', ETag: '"coded"', 'Cache-Tag': 'coded' });
  }
  return reply(`old ${r.target}`, asset);
};
const fresh = (r) => {
  const url = r.target;
  if (url === '/assets/gone.js' || url === '/assets/short.js') return reply('nothing', html, '404 Not Found');
  if (url.startsWith('/assets/q.js') || url === '/index.php?file=b') return reply('nothing', html, '404 Not Found');
  if (url.startsWith('/index.php')) return reply('<h1>home</h1>', html);
  if (url.startsWith('/assets/coded-')) return reply('nothing', html, '404 Not Found');
  if (url === '/assets/410.js') return reply('nothing', {}, '410 Gone');
  if (url === '/assets/page.js') return reply('<h1>the app</h1>', html);
  if (url === '/assets/same.js') return reply('', {}, r.fields['if-none-match'] ? '304 Not Modified' : '500 Error');
  if (url === '/_nuxt/builds/latest.json') return reply('{"id":2}', { ...asset, 'Content-Type': 'application/json' });
  return reply(`new ${url}`, asset);
};
const two = await new Origin(fresh).listen();
await scenario({ answer: old, flags: ['--keep-assets', '2h'] }, async ({ ask, cases, freshet }) => {
  const got = async (target) => { const a = await ask(target); return `${a.status} ${a.body}: ${a.fields['cache-status'].replace(/ttl=-?\d+/, 'ttl')}`; };
  const asked = (target) => two.requests.filter((r) => r.target === target).length;
  const kept = ['/assets/gone.js', '/assets/410.js', '/assets/page.js'];
  await cases.check('before: a missing asset is not stored, and nobody is to remember it', async () => {
    for (let i = 0; i < 2; i++) {
      const a = await ask('/assets/missing.js');
      equal(a.status, 404);
      equal(a.fields['cache-control'], 'no-store');
      equal(a.fields.expires, undefined);
      equal(a.fields['cache-status'], 'freshet; fwd=uri-miss; detail=asset-missing');
    }
    for (const c of ['gzip', 'br', 'zstd']) await ask(`/assets/coded-${c}.js`, { 'Accept-Encoding': c });
    for (const t of ['/assets/q.js?id=1', '/index.php?file=a']) await ask(t);
    for (const t of [...kept, '/assets/same.js', '/assets/changed.js', '/assets/short.js', '/_nuxt/builds/latest.json']) await ask(t);
  });
  await cases.check('after: what the origin lacks is kept, and it is asked once', async () => {
    equal((await freshet.verb('deploy', '--id', 'v2', '--origin', two.url)).status, 0);
    for (const t of kept) {
      equal(await got(t), `200 old ${t}: freshet; hit; ttl; detail=kept-asset`);
      await freshet.settle();
      equal(await got(t), `200 old ${t}: freshet; hit; ttl; detail=kept-asset`);
      await freshet.settle();
      equal(asked(t), 1, t);
    }
    const said = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/assets/gone.js')}`);
    check(said.text.includes('kept-asset') && said.text.includes('an asset of an earlier deploy'), said.text);
  });
  await cases.check('what the origin has, it is asked for at once, and the new one is served', async () => {
    equal(await got('/assets/changed.js'), '200 old /assets/changed.js: freshet; hit; ttl; detail=kept-asset');
    await freshet.settle();
    equal(await got('/assets/changed.js'), '200 new /assets/changed.js: freshet; hit; ttl');
  });
  await cases.check('no new build is hidden', async () => {
    equal((await ask('/_nuxt/builds/latest.json')).body, '{"id":2}');
  });
  await cases.check('one that has expired is kept as well', async () => {
    await freshet.turn('advance 5400000');
    equal(await got('/assets/short.js'), '200 short: freshet; hit; ttl; detail=kept-asset');
    await freshet.settle();
    equal(await got('/assets/short.js'), '200 short: freshet; hit; ttl; detail=kept-asset');
  });
  await cases.check('one that is stored in another content coding is decoded, once; not one in a coding that freshet does not know', async () => {
    for (const c of ['gzip', 'br']) {
      const t = `/assets/coded-${c}.js`, n = asked(t);
      for (let i = 0; i < 2; i++) {
        const a = await ask(t);
        equal(a.status, 200);
        equal(a.body, 'x'.repeat(70000));
        equal(a.fields['content-encoding'], undefined);
        check(a.fields.etag !== '"coded"', a.fields.etag);
        check(/^freshet; hit; ttl=\d+; detail=kept-asset$/.test(a.fields['cache-status']), a.fields['cache-status']);
      }
      await soon(() => asked(t) > n); // behind the answer
      await freshet.settle();
      equal(asked(t), n + 1);
      const both = await ask(t, { 'Accept-Encoding': 'gzip, br, zstd' });
      equal(both.status, 200);
      check(both.body.length === 70000 || both.fields['content-encoding'] === c, both.body.length);
    }
    equal((await ask('/assets/coded-zstd.js')).status, 404);
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['coded'] }))).status, 202);
    equal((await ask('/assets/coded-gzip.js')).status, 404);
  });
  await cases.check('another query is another file', async () => {
    equal((await ask('/assets/q.js?id=2')).status, 404);
    equal((await ask('/assets/q.js')).status, 404);
    equal((await ask('/index.php?file=b')).status, 404);
    equal((await ask('/index.php?page=home')).body, '<h1>home</h1>');
    equal((await ask('/assets/q.js?id=1')).body, 'old /assets/q.js?id=1');
  });
  await cases.check('status counts them', async () => {
    let cache;
    await freshet.swept(async () => {
      cache = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).cache;
      return cache.kept_assets > 0;
    });
    check(cache.kept_assets >= 4 && cache.kept_assets_bytes > 0, JSON.stringify(cache));
  });
  await cases.check('a purge takes a kept one', async () => {
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: ['http://test/assets/410.js'] }))).status, 202);
    equal((await ask('/assets/410.js')).status, 410);
  });
  await cases.check('when its time is over, it is not', async () => {
    await freshet.turn('advance 2700000');
    const over = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/assets/gone.js')}`)).text);
    equal(over.outcome, 'expired', 'explain knows it');
    equal(await got('/assets/gone.js'), '404 nothing: freshet; fwd=stale; detail=asset-missing');
    equal((await ask('/assets/page.js')).body, '<h1>the app</h1>');
  });
});
await two.close();
