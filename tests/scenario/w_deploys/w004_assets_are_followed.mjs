// Assets that stored pages and their scripts link to are fetched though nobody asked for them, once, and from the release that the page
// is of: so a deploy cannot take them from a visitor who has the page open. In whatever coding the page came.
// CACHING.md 5.9
import zlib from 'node:zlib';
import { Origin, check, equal, reply, scenario, soon } from '../lib.mjs';

const asset = (type) => ({ 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': type });
const html = { 'Cache-Control': 'max-age=600', 'Content-Type': 'text/html; charset=utf-8' };
const page = (name) => `<link rel=stylesheet href=/assets/${name}.css><script type="module" src="/assets/${name}.js"></script><a href="/other">x</a>`;
const files = (name) => ({
  [`/assets/${name}.js`]: [`import("./${name}-lazy.js");const m=["assets/${name}-listed.js"]`, 'text/javascript'],
  [`/assets/${name}-lazy.js`]: ['export default 1', 'text/javascript'],
  [`/assets/${name}-listed.js`]: ['export default 2', 'text/javascript'],
  [`/assets/${name}.css`]: [`a{background:url(${name}.png)}`, 'text/css'],
  [`/assets/${name}.png`]: ['png', 'image/png'],
});
const app = (name, coding) => (r) => {
  const file = files(name)[r.target];
  if (file) return reply(file[0], asset(file[1]));
  if (r.target.startsWith('/assets/')) return reply('no', {}, '404 Not Found');
  const body = Buffer.from(page(name));
  if (coding === 'gzip') return reply(zlib.gzipSync(body).toString('latin1'), { ...html, 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' });
  if (coding === 'br') return reply(zlib.brotliCompressSync(body).toString('latin1'), { ...html, 'Content-Encoding': 'br', Vary: 'Accept-Encoding' });
  return reply(body.toString(), html);
};
const all = (name) => Object.keys(files(name)).sort();
const links = Array.from({ length: 1800 }, (_, i) => `<script src="/assets/many-${i}.js"></script>`).join('');
await scenario({ answer: (r) => (r.target === '/many' ? reply(links, html) : reply('', {}, '404 Not Found')) }, async ({ ask, cases, freshet, origin }) => {
  await cases.check('of a page with very many links so many are fetched', async () => {
    await ask('/many');
    const asked = () => origin.requests.length - 1;
    await soon(async () => { await freshet.turn('advance 100'); return asked() >= 1000; });
    for (let n = 0; n < asked();) { n = asked(); await freshet.turn('advance 1000'); await freshet.settle(); }
    check(asked() < 1300, asked());
    check(origin.requests.slice(1).every((r) => r.fields['sec-purpose'] === undefined), 'as a visitor would');
  });
});
for (const coding of ['identity', 'gzip', 'br']) {
  const two = await new Origin(app('two', coding)).listen();
  await scenario({ answer: app('one', coding) }, async ({ ask, cases, freshet, origin }) => {
    const asked = (o) => o.requests.map((r) => r.target).filter((t) => t.startsWith('/assets/')).sort();
    const arrive = (o, n) => freshet.meanwhile('100ms', () => asked(o).length >= n);
    const encoding = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
    await cases.check(`${coding}: each of them, once`, async () => {
      await ask('/', encoding);
      await arrive(origin, 5);
      await freshet.settle();
      await ask('/?again=1', encoding);
      await freshet.turn('advance 1000');
      await freshet.settle();
      equal(asked(origin).join(' '), all('one').join(' '));
      equal(origin.requests.at(1).fields.cookie, undefined);
    });
    await cases.check(`${coding}: a deploy leaves them to who has the page open, and warms those of the new pages`, async () => {
      const r = await freshet.api('POST', '/api/v1/deploy', JSON.stringify({ origin: two.url, warm: ['/'] }));
      equal(r.status, 200, r.text);
      await arrive(two, 5);
      await freshet.settle();
      equal(asked(two).join(' '), all('two').join(' '));
      for (const t of [...all('one'), ...all('two')]) {
        const a = await ask(t, encoding);
        equal(a.status, 200, t);
        check(a.fields['cache-status'].startsWith('freshet; hit'), `${t}: ${a.fields['cache-status']}`);
      }
    });
  });
  await two.close();
}
