// A page that was stored is there after a restart and after it had to leave memory: the origin is not asked again, whichever rule the page
// has, and what was purged, or stored under other settings, is not there.
// CACHING.md 6.9
// scenarios R10
import fs from 'node:fs';
import { equal, check, reply, scenario, soon } from '../lib.mjs';

const big = 'x'.repeat(20_000);
const answer = (r) => {
  const path = r.target.split('?')[0], fields = { 'Cache-Control': 's-maxage=86400', 'Cache-Tag': `all, ${path.slice(1)}`, ETag: `"${path}"` };
  if (path.startsWith('/vary')) return reply(`${r.target} ${r.fields['accept-language'] ?? '-'}`, { ...fields, Vary: 'Accept-Language' });
  if (path.startsWith('/netlify')) return reply(r.target, { ...fields, 'Netlify-Vary': 'query=page' });
  if (path === '/missing') return reply('not here', { ...fields }, '404 Not Found');
  if (path === '/old') return reply('old', { 'Cache-Control': 's-maxage=1, stale-while-revalidate=86400' });
  if (path === '/empty') return reply('', fields);
  return reply(`${r.target} ${big}`, fields);
};
const pages = ['/a', '/b?x=1', '/missing', '/empty', '/netlify?page=2&utm=3', '/netlify?page=3', '/vary', '/vary/2'];
const flags = ['--disk', '16M', '--memory', '8M'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const german = { 'Accept-Language': 'de' };
  const all = () => [...pages.map((p) => [p, {}]), ['/vary', german]];
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  const again = (...more) => freshet.restart(['--origin', origin.url, ...flags, ...more]);
  const asked = (target) => origin.requests.filter((r) => r.target === target).length;
  const bodies = new Map();
  await cases.check('all that is stored is written', async () => {
    for (const [p, f] of all()) {
      for (let i = 0; i < 2; i++) await ask(p, f);
      bodies.set(p + JSON.stringify(f), await ask(p, f));
    }
    await ask('/old');
    await soon(async () => (await disk()).responses >= pages.length + 2 + 3); // three URLs have a rule of their own
  });
  await cases.check('the files are for their owner alone', () => {
    const mode = (f) => (fs.statSync(f).mode & 0o777).toString(8);
    equal(mode('state'), '700');
    equal(mode('state/pages'), '700');
    const files = fs.readdirSync('state/pages');
    check(files.length > 1, files.join());
    for (const f of files) equal(mode(`state/pages/${f}`), '600', f);
  });
  await cases.check('after a restart it is a hit, the same byte by byte, also the first time', async () => {
    await again();
    const n = origin.requests.length;
    for (const [p, f] of all()) {
      const now = await ask(p, f), then = bodies.get(p + JSON.stringify(f));
      equal(now.body, then.body, p);
      equal(now.status, then.status, p);
      equal(now.fields.etag, then.fields.etag, p);
      check(/^freshet; hit/.test(now.fields['cache-status']), `${p}: ${now.fields['cache-status']}`);
    }
    equal(origin.requests.length, n, JSON.stringify(origin.requests.slice(n).map((r) => r.target)));
    equal((await ask('/a', {}, { method: 'HEAD' })).status, 200);
    // Those came from disk, and the one of the HEAD from memory.
    const said = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    equal(said.requests.disk_hits, all().length);
    equal(said.requests.disk_hit_ratio, 1);
    check(said.requests.memory_hit_ratio > 0 && said.requests.memory_hit_ratio < 0.5, String(said.requests.memory_hit_ratio));
    check(said.disk.oldest_s >= 0 && said.disk.oldest_s < 300, String(said.disk.oldest_s));
  });
  await cases.check('and another variant is not', async () => {
    const n = asked('/vary');
    equal((await ask('/vary', { 'Accept-Language': 'fr' })).body, '/vary fr');
    equal(asked('/vary'), n + 1);
  });
  await cases.check('a stale one is served and refreshed', async () => {
    const n = asked('/old');
    await again();
    await freshet.advance('10s');
    const said = (await freshet.verb('explain', 'http://test/old')).stdout; // before it is read
    check(/answer +disk: not in memory, but on disk/.test(said) && /stored +on disk/.test(said) && !/ why /.test(said), said);
    const r = await ask('/old');
    check(/hit/.test(r.fields['cache-status']) && r.body === 'old', r.fields['cache-status']);
    await freshet.settle();
    equal(asked('/old'), n + 1);
  });
  await cases.check('a herd before a page on disk is one read', async () => {
    await again();
    const n = origin.requests.length, before = (await disk()).read;
    const all = await Promise.all(Array.from({ length: 20 }, () => ask('/a')));
    for (const r of all) equal(r.body, bodies.get('/a{}').body);
    equal(origin.requests.length, n);
    equal((await disk()).read, before + 1);
  });
  await cases.check('what was purged is not there after a restart, whether it was in memory or not', async () => {
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['a'] }))).status, 202);
    const n = asked('/a');
    await again();
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: ['http://test/b?x=1'] }))).status, 202);
    const m = asked('/b?x=1');
    await ask('/a');
    await ask('/b?x=1');
    equal(asked('/a'), n + 1);
    equal(asked('/b?x=1'), m + 1);
    // By a URL whose page has a rule that only the disk knows.
    await again();
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: ['http://test/netlify?page=2&utm=9'] }))).status, 202);
    const k = origin.requests.length;
    await ask('/netlify?page=2&utm=3');
    equal(origin.requests.length, k + 1);
  });
  await cases.check('what leaves memory is still a hit', async () => {
    for (let i = 0; i < 500; i++) await ask(`/many/${i}`);
    const s = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    check(s.cache.evicted > 50, `${s.cache.evicted} evicted`);
    const n = origin.requests.length;
    let there = 0;
    for (let i = 0; i < 500; i++) {
      const r = await ask(`/many/${i}`);
      equal(r.body, `/many/${i} ${big}`);
      there += /hit/.test(r.fields['cache-status']);
    }
    // Some were not written in time, and had to leave memory before they could be.
    check(origin.requests.length - n <= 150, `${origin.requests.length - n} asked again, ${there} hits`);
  });
  await cases.check('an unsafe request invalidates what is on disk alone', async () => {
    await again();
    await ask('/many/3', {}, { method: 'POST', body: 'x' });
    const n = asked('/many/3');
    await ask('/many/3');
    equal(asked('/many/3'), n + 1);
  });
  await cases.check('which a restart does not undo', async () => {
    await ask('/many/4');
    await ask('/many/4', {}, { method: 'POST', body: 'x' });
    const n = asked('/many/4');
    await again();
    await ask('/many/4');
    equal(asked('/many/4'), n + 1);
    // Nor does a crash, once it is on disk: that is nobody's to wait for, but a purge behind it is.
    await ask('/many/5');
    await ask('/many/5', {}, { method: 'POST', body: 'x' });
    equal(JSON.parse((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['nothing'] }))).text).durable, true);
    const m = asked('/many/5');
    freshet.signal('KILL');
    await freshet.status();
    await freshet.start(['--origin', origin.url, ...flags]);
    await freshet.found();
    await ask('/many/5');
    equal(asked('/many/5'), m + 1);
  });
  await cases.check('pages of other settings are not there', async () => {
    const n = asked('/empty');
    await again('--ignore-query', 'foo');
    await ask('/empty');
    equal(asked('/empty'), n + 1);
    await ask('/empty');
    equal(asked('/empty'), n + 1);
  });
});
