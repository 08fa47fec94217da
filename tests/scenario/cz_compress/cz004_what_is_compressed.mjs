// What is compressed: stored text above a length, for those who take it, with qualities; not what is short, of another type, not to be
// transformed, has cookies, or gets no shorter; long after the first level the best one.
// CACHING.md 6.10
import { randomBytes } from 'node:crypto';
import { check, equal, reply, scenario } from '../lib.mjs';

let x = 7;
const words = Array.from({ length: 900 }, () => `${['one', 'word', 'and', 'another'][(x = (x * 1103515245 + 12345) % 2 ** 31) >> 20 & 3]} ${x >> 16 & 31}, `).join('');
const types = { '/html': 'text/html; charset=utf-8', '/json': 'application/json', '/ld': 'application/ld+json', '/js': 'Application/JavaScript', '/svg': 'image/svg+xml', '/wasm': 'application/wasm',
  '/png': 'image/png', '/zip': 'application/zip', '/woff': 'font/woff2', '/none': '', '/events': 'text/event-stream2' };
const answer = (r) => {
  const [path] = r.target.split('?');
  const fields = { 'Content-Type': types[path] ?? 'text/css', 'Cache-Control': 'max-age=600' };
  if (path === '/none') delete fields['Content-Type'];
  switch (path) {
    case '/short': return reply('x'.repeat(511), fields);
    case '/long-enough': return reply('x'.repeat(512), fields);
    case '/too-long': return reply('x'.repeat(70000), fields);
    case '/noise': return reply(randomBytes(8192).toString('latin1'), fields);
    case '/cookie': return reply(words, { ...fields, 'Set-Cookie': 'a=b' });
    case '/404': return reply(words, fields, '404 Not Found');
    case '/private': return reply(words, { ...fields, 'Cache-Control': 'private, max-age=600' });
    case '/no-store': return reply(words, { ...fields, 'Cache-Control': 'no-store' });
    case '/post': return reply(words, { ...fields, 'Cache-Control': 'no-store' });
    case '/302': return reply(words, { ...fields, Location: '/' }, '302 Found');
    default: return reply(words, fields);
  }
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n    hosts: [test]\n    compress_most: 64K\n    compress_often: 8\n    compress_gzip: 1\n    compress_gzip_best: 9\n    compress_br: 3\n    compress_br_best: 7\n    compress_zstd: 2\n    compress_zstd_best: 11\n    set_cookie: store\n  off:\n    origin: ${url}\n    hosts: [off]\n    compress: false\n`;

await scenario({ answer, yaml }, async ({ ask, cases, freshet, origin }) => {
  const coding = async (target, offer = 'br', fields = {}) => {
    for (let i = 0; i < 2; i++) {
      await ask(target, { 'Accept-Encoding': offer, ...fields });
      await freshet.until('coding_now', '==', 0);
    }
    return (await ask(target, { 'Accept-Encoding': offer, ...fields })).fields['content-encoding'];
  };
  for (const [target, is] of [['/html', 'br'], ['/json', 'br'], ['/ld', 'br'], ['/js', 'br'], ['/svg', 'br'], ['/wasm', 'br'], ['/png'], ['/zip'], ['/woff'], ['/none'],
    ['/events', 'br'], ['/short'], ['/long-enough', 'br'], ['/too-long'], ['/noise'], ['/cookie'], ['/404', 'br'], ['/302']])
    await cases.check(target, async () => equal(await coding(target), is));
  const noise = (await freshet.gauges()).codings;
  await ask('/noise', { 'Accept-Encoding': 'br' });
  await cases.check('what gets no shorter is not tried again', async () => {
    equal((await freshet.gauges()).coding_now, 0);
    equal((await freshet.gauges()).codings, noise);
    const status = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    equal(status.codings.useless, 1);
  });
  await cases.check('a page that is not codable does not vary', async () => equal((await ask('/png')).fields.vary, undefined));

  // A secret in a page for one visitor is not told by its length (BREACH).
  for (const [target, fields, options] of [['/private'], ['/no-store'], ['/post', {}, { method: 'POST', body: 'x' }], ['/auth', { Authorization: 'Basic eDp5' }]])
    await cases.check(`what is not stored is not compressed: ${target}`, async () => {
      const made = (await freshet.gauges()).codings;
      for (let i = 0; i < 3; i++) {
        const r = await ask(target, { 'Accept-Encoding': 'br, gzip', ...fields }, options);
        equal(`${r.fields['content-encoding']} ${r.body === words}`, 'undefined true', r.head);
        check(!/; hit/.test(r.fields['cache-status']), r.head);
        await freshet.until('coding_now', '==', 0);
      }
      equal((await freshet.gauges()).codings, made);
    });

  // RFC 9110 §12.5.3.
  for (const [offer, is] of [['gzip', 'gzip'], ['x-gzip', 'gzip'], ['zstd', 'zstd'], ['br, gzip, zstd', 'br'], ['gzip, zstd', 'zstd'], ['br;q=0.1, gzip;q=0.2', 'gzip'], ['br;q=0, *', 'zstd'],
    ['*', 'br'], ['*;q=0'], ['identity', undefined], ['br;q=0.5, identity', undefined], ['br;q=0.5, identity;q=0.5', 'br'], ['deflate', undefined], ['', undefined], ['identity;q=0, gzip;q=0.001', 'gzip'],
    ['gzip;q=0', undefined], ['gzip;q=2, br;q=x', undefined], ['GZIP', 'gzip'], ['gzip, gzip;q=0', undefined], ['compress, deflate, gzip;q=0.3', 'gzip']])
    await cases.check(`Accept-Encoding: ${offer}`, async () => equal(await coding('/html', offer), is));
  await cases.check('all of that was one render', () => equal(origin.requests.filter((r) => r.target === '/html').length, 1));

  // The best level, once asked for often.
  for (const [offer, levels] of [['gzip', '~gzip1",~gzip9"'], ['br', '~br3",~br7"'], ['zstd', '~zstd2",~zstd11"']]) {
    const seen = [];
    for (let i = 0; i < 20; i++) {
      const r = await ask(`/often?${offer}`, { 'Accept-Encoding': offer });
      if (i) seen.push(r.fields.etag?.replace(/.*~/, '~'));
      // The coding may be there before the first is answered.
      if (i || r.fields['content-encoding']) equal(r.fields['content-encoding'], offer);
      await freshet.until('coding_now', '==', 0);
    }
    await cases.check(`levels of ${offer}`, () => equal([...new Set(seen)].filter(Boolean).join(), levels));
    await cases.check('the quick one for the first', () => check(seen.indexOf(levels.split(',')[1]) > 7, seen.join()));
  }

  const explain = async (target, offer) => JSON.parse((await freshet.api('GET', `/api/v1/explain?url=http://test${target}&header=${encodeURIComponent(`Accept-Encoding: ${offer}`)}`)).text).stored;
  await cases.check('explain', async () => {
    const e = await explain('/html', 'zstd');
    equal(e.coding, 'zstd');
    equal(e.codings.map((c) => c.coding).sort().join(), 'br,gzip,zstd');
    check((await explain('/png', 'br')).coding_reason.startsWith('not compressed'), 'png');
    equal((await explain('/noise', 'br')).coding, 'identity');
  });
  await cases.check('metrics', async () => {
    const { text } = await freshet.api('GET', '/metrics');
    check(/^freshet_codings_made_total\{coding="br"\} [1-9]/m.test(text) && /^freshet_coded_sent_total [1-9]/m.test(text) && /^freshet_coding_bytes [1-9]/m.test(text), text);
  });
  await cases.check('off', async () => {
    equal(await coding('/html', 'br', { Host: 'off' }), undefined);
    equal(origin.requests.at(-1).fields['accept-encoding'], 'br');
  });
});
