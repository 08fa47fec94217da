// Tracking parameters: they leave the key and the request of what may be stored, stay on what passes, and a redirect within the site
// that the origin made without them gets them back for the visitor who brought them, and for nobody else.
// CACHING.md 4.7
import { equal, reply, scenario } from '../lib.mjs';

const locations = { '/promo': '/promo/', '/abs': 'http://test/there', '/upper': 'HTTP://TEST:80/there?x=1', '/up': 'https://test/there', '/other': 'http://elsewhere.example/x', '/port': 'http://test:81/x',
  '/net': '//test/x#part', '/nets': '//elsewhere.example/x', '/query': '/q?a=1', '/has': '/q?%67clid=own&b', '/hash': '/p?a#frag?x', '/mark': '/p?', '/amp': '/p?a&', '/only': '#part', '/mail': 'mailto:a@test',
  '/dir': 'sub/page', '/q': '?b=2', '/utf8': '/m\xc3\xb6bel', '/userinfo': 'http://u@test/x', '/www': 'http://www.test.example/x' };
const answer = (r) => {
  const path = r.target.split('?')[0].replace(/^\/(301|302|307|308|300)/, '');
  const status = /^\/(3\d\d)/.exec(r.target)?.[1] ?? '301';
  if (r.method === 'GET' && locations[path]) return reply('moved', { Location: locations[path], 'Cache-Control': 'max-age=60', 'X-Saw': r.target }, `${status} Moved`);
  if (path === '/private') return reply('moved', { Location: '/in', 'Cache-Control': 'private', 'X-Saw': r.target }, '302 Found');
  if (path === '/ok') return reply('ok', { Location: '/in', 'Cache-Control': 'max-age=60' });
  return reply(r.target, { 'X-Saw': r.target, Location: '/in' }, '302 Found');
};
const brought = 'utm_source=mail&x=1&gclid=a%2Fb&%5fga=50%';
const mine = 'utm_source=mail&gclid=a%2Fb&%5fga=50%';
const rows = { '/promo': `/promo/?${mine}`, '/abs': `http://test/there?${mine}`, '/upper': `HTTP://TEST:80/there?x=1&${mine}`, '/up': `https://test/there?${mine}`, '/other': null, '/port': null, '/net': `//test/x?${mine}#part`, '/nets': null,
  '/query': `/q?a=1&${mine}`, '/has': '/q?%67clid=own&b&utm_source=mail&%5fga=50%', '/hash': `/p?a&${mine}#frag?x`, '/mark': `/p?${mine}`, '/amp': `/p?a&${mine}`, '/only': null, '/mail': null, '/dir': `sub/page?${mine}`,
  '/q': `?b=2&${mine}`, '/utf8': `/m\xc3\xb6bel?${mine}`, '/userinfo': null, '/www': null };
await scenario({ answer }, async ({ ask, cases, connect, origin }) => {
  for (const [path, location] of Object.entries(rows)) {
    for (const status of ['', '/302', '/307', '/308']) {
      await cases.check(`${status}${path}`, async () => {
        const plain = `${status}${path}?x=1`;
        const first = await ask(`${status}${path}?${brought}`);
        equal(first.fields['x-saw'], plain, 'what the origin saw');
        equal(first.fields.location, location ?? locations[path], 'Location, fetched');
        const before = origin.requests.length;
        equal((await ask(plain)).fields.location, locations[path], 'Location without');
        const again = await ask(`${status}${path}?${brought}`);
        equal(again.fields.location, location ?? locations[path], 'Location, from the cache');
        equal(again.body, 'moved');
        const other = await ask(`${status}${path}?x=1&fbclid=2`);
        equal(other.fields.location === locations[path], location === null, 'with one of its own');
        const head = await ask(`${status}${path}?${brought}`, {}, { method: 'HEAD' });
        equal(head.fields.location, again.fields.location, 'HEAD');
        equal(head.fields['content-length'], again.fields['content-length']);
        equal(origin.requests.length, before, 'asked again');
      });
    }
  }
  await cases.check('the input of the promotion', async () => equal((await ask('/promo?utm_source=mail&gclid=abc')).fields.location, '/promo/?utm_source=mail&gclid=abc'));
  await cases.check('a redirect that is not stored', async () => equal((await ask('/private?utm_source=mail')).fields.location, '/in?utm_source=mail'));
  await cases.check('a page with a Location is none', async () => equal((await ask('/ok?utm_source=mail')).fields.location, '/in'));
  await cases.check('what passes keeps them, and its Location is its own', async () => {
    for (const [method, fields] of [['POST', {}], ['PUT', {}], ['DELETE', {}], ['GET', { Authorization: 'x' }], ['GET', { Signature: 'x' }]]) {
      const r = await ask(`/pass?${brought}`, fields, { method, body: /P/.test(method) ? 'x' : '' });
      equal(r.fields['x-saw'], `/pass?${brought}`);
      equal(r.fields.location, '/in', method);
    }
  });
  await cases.check('two at once, one fetch, each his own', async () => {
    const c = [connect(), connect()];
    await Promise.all(c.map((x, i) => x.send(`GET /301/promo?z&utm_id=${i} HTTP/1.1\r\nHost: test\r\n\r\n`)));
    for (const [i, x] of c.entries()) {
      equal((await x.answers())[0].fields.location, `/promo/?utm_id=${i}`);
      x.close();
    }
  });
});
