// Who waits for a page over HTTP/2 is told its links before it is there (103 Early Hints), as its stored answer had them: of its own key alone,
// when a site asks for that, and no more after a purge of the site.
// scenarios K5; CACHING.md 7
import { check, equal, gate, reply, scenario } from '../lib.mjs';
import { Frames } from '../h2.mjs';

let hold = null, gone = null;
const links = '</a.css>; rel=preload; as=style, </next>; rel=next, </app.mjs>; rel=modulepreload';
const early = '</a.css>; rel=preload; as=style, </app.mjs>; rel=modulepreload';
const answer = async (r) => {
  if (hold) await hold.opened;
  if (gone && r.target === '/moved') return reply('gone', gone[1], `${gone[0]} Gone`);
  const varied = r.target.startsWith('/cookie') ? { 'Netlify-Vary': 'cookie=theme' } : {};
  const theme = /theme=(\w+)/.exec(r.fields.cookie ?? '')?.[1];
  return reply(`${r.target} ${theme}`, { 'CDN-Cache-Control': 'max-age=60, must-revalidate', 'Netlify-Cache-Tag': 'news', ...varied,
    ...(r.target === '/none' ? {} : { Link: theme ? `</${theme}.css>; rel=preload` : links }) });
};
const yaml = (origin) => `http2_clear: true
idle_timeout: 1d
sites:
  one: { hosts: [test], origin: ${origin}, early_hints: true }
  other: { hosts: [other], origin: ${origin} }`;
await scenario({ answer, yaml }, async ({ arrived, ask, cases, connect, freshet, origin }) => {
  const c = new Frames('front');
  // What a stream is told while the origin keeps its answer, then the whole.
  const told = async (path, fields = {}, options = {}) => {
    hold = gate();
    const before = origin.requests.length;
    const id = c.request(path, fields, options);
    await arrived(before + 1);
    await c.pong();
    const heads = [...(c.streams[id]?.heads ?? [])];
    hold.open();
    hold = null;
    const s = await c.whole(id);
    equal(s.status, gone?.[0] ?? 200);
    await freshet.settle();
    return heads.map((h) => [h.status, h.fields.link].join(' ')).join();
  };
  const expire = () => freshet.advance('61s');
  await cases.check('nothing is known of a page that was never stored', async () => {
    equal(await told('/'), '');
    equal((await c.get('/')).heads.length, 1, 'a hit has no hint');
  });
  await cases.check('its links when it has expired; its other links are no hints', async () => {
    await expire();
    equal(await told('/'), `103 ${early}`);
  });
  await cases.check('when it was purged by a tag, or by its URL', async () => {
    await freshet.api('POST', '/api/v1/purge', '{"site_slug":"one","cache_tags":["news"]}');
    equal(await told('/'), `103 ${early}`);
    await freshet.api('POST', '/api/v1/purge', '{"urls":["http://test/"]}');
    equal(await told('/'), `103 ${early}`);
  });
  await cases.check('each one who waits is told once', async () => {
    await expire();
    hold = gate();
    const n = origin.requests.length, ids = [1, 2, 3].map(() => c.request('/'));
    await arrived(n + 1);
    await freshet.until('requests', '==', 3);
    await c.pong();
    hold.open();
    hold = null;
    for (const id of ids) equal((await c.whole(id)).heads.map((h) => h.status).join(), '103,200');
    equal(origin.requests.length, n + 1);
  });
  await cases.check('of its own key alone', async () => {
    equal(await told('/cookie', { cookie: 'theme=blue' }), '');
    equal(await told('/cookie', { cookie: 'theme=red' }), '');
    await expire();
    equal(await told('/cookie', { cookie: 'theme=red' }), '103 </red.css>; rel=preload');
    equal(await told('/cookie', { cookie: 'theme=blue' }), '103 </blue.css>; rel=preload');
    equal(await told('/cookie', { cookie: 'theme=green' }), '');
    equal(await told('/other'), '');
  });
  await cases.check('not for what a script asks for, nor for a HEAD, a POST or who is to get his own', async () => {
    await expire();
    equal(await told('/', { 'sec-fetch-mode': 'cors' }), '');
    await expire();
    equal(await told('/', { 'sec-fetch-mode': 'navigate' }), `103 ${early}`);
    await expire();
    equal(await told('/', {}, { method: 'HEAD' }), '');
    equal(await told('/', {}, { method: 'POST' }), '');
  });
  await cases.check('not over HTTP/1.1, nor at a site that has not asked for it', async () => {
    await expire();
    const h1 = connect();
    await h1.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    equal((await h1.answers(1)).map((r) => r.status).join(), '200');
    h1.close();
    equal(await told('/', {}, { authority: 'other' }), '');
    await expire();
    equal(await told('/', {}, { authority: 'other' }), '');
  });
  await cases.check('a page without links any more has none; a purge of the site forgets', async () => {
    equal(await told('/none'), '');
    await expire();
    equal(await told('/none'), '');
    const r = await freshet.api('POST', '/api/v1/purge', '{"site_slug":"one"}');
    equal(r.status, 202);
    equal(await told('/'), '');
    await expire();
    equal(await told('/'), `103 ${early}`);
  });
  await cases.check('an answer of another kind, or for one visitor alone, has no links either; a failure says nothing', async () => {
    for (const [status, fields] of [[404, { 'CDN-Cache-Control': 'max-age=60' }], [200, { 'Cache-Control': 'private' }]]) {
      equal(await told('/moved'), '');
      await expire();
      gone = [503, { 'Cache-Control': 'no-store' }];
      equal(await told('/moved'), `103 ${early}`);
      gone = [status, fields];
      equal(await told('/moved'), `103 ${early}`);
      gone = null;
      await freshet.advance('10m');
      equal(await told('/moved'), '', `after ${status}`);
      await freshet.api('POST', '/api/v1/purge', '{"site_slug":"one"}');
    }
  });
  await cases.check('the counter', async () => equal((await freshet.gauges()).early_hints_total, 14));
  c.close();
});
