// What a deploy is asked to warm is fetched from the new origin before anybody sees the new release, as a visitor without cookies
// would ask for it: pages of a list, of sitemaps, the most used ones, and assets; a time bounds it.
// CACHING.md 5.9
import fs from 'node:fs';
import { Origin, check, equal, gate, reply, scenario } from '../lib.mjs';

const page = { 'Cache-Control': 'max-age=600', 'Content-Type': 'text/html' };
const asset = { 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': 'text/javascript' };
const index = '<sitemapindex><sitemap><loc>http://test/map.xml</loc></sitemap><sitemap><loc>http://else.example/map.xml</loc></sitemap></sitemapindex>';
const urls = '<urlset><url><loc>http://test/listed?a=1&amp;b=2</loc></url><url><loc>https://else.example/x</loc></url><url><loc>http://test/listed2</loc></url></urlset>';
const hung = { asked: gate(), go: gate() };
const app = (name) => async (r) => {
  if (r.target === '/sitemap.xml') return reply(index, { 'Content-Type': 'text/xml' });
  if (r.target === '/of-other.xml')
    return reply('<urlset><url><loc>http://test/listed</loc></url><url><loc>http://other.example/listed</loc></url></urlset>', { 'Content-Type': 'text/xml' });
  if (r.target === '/map.xml') return reply(urls, { 'Content-Type': 'text/xml' });
  if (r.target === '/hangs') { hung.asked.open(); await hung.go.opened; }
  if (r.target.startsWith('/assets/')) return reply(`${name} asset`, asset);
  return reply(`${name} ${r.target}`, page);
};
const two = await new Origin(app('two')).listen();
await scenario({ answer: app('one'), yaml: (url) => `sites:\n  shop:\n    hosts: [test, other.example]\n    origin: ${url}` }, async ({ ask, cases, freshet }) => {
  const hit = async (target) => { const a = await ask(target); return a.body.startsWith('two ') && /^freshet; hit/.test(a.fields['cache-status']); };
  const targets = () => two.requests.map((r) => r.target);
  const deploy = async (body) => { const r = await freshet.api('POST', '/api/v1/deploy', JSON.stringify(body)); return { status: r.status, ...JSON.parse(r.text) }; };
  await cases.check('pages, assets, a sitemap, the most used', async () => {
    for (const t of ['/often', '/often', '/often', '/seldom', '/seldom', '/once']) await ask(t);
    const r = await deploy({ id: 'v2', origin: two.url, warm: ['/a', 'http://test/b?x=1', 'sitemap', 'top:2'], assets: ['/assets/x.js'], url: 'http://test' });
    equal(r.status, 200, r.message);
    equal(JSON.stringify([r.pages, r.assets]), JSON.stringify([{ wanted: 6, done: 6, failed: 0 }, { wanted: 1, done: 1, failed: 0 }]));
    for (const t of ['/a', '/b?x=1', '/listed?a=1&b=2', '/listed2', '/often', '/seldom']) check(await hit(t), `${t} is warm`);
    check(await hit('/assets/x.js'), 'the asset');
    check(!targets().includes('/once') && !targets().includes('/x'), targets().join(' '));
    const warm = two.requests.find((q) => q.target === '/a');
    equal(warm.fields.host, 'test');
    equal(warm.fields.cookie, undefined);
    equal(warm.fields['sec-purpose'], undefined, 'what is stored for all is not asked for as a prefetch');
    equal(two.requests[0].fields['sec-purpose'], undefined, 'nor is the check');
    check(warm.fields['user-agent'].startsWith('freshet/'), warm.fields['user-agent']);
  });
  await cases.check('the files of a build, from where the site has them', async () => {
    for (const f of ['.next/static/chunks/a.js', '_nuxt/b c.js', 'public/robots.txt', 'public/.hidden', 'made/x/y.js']) {
      fs.mkdirSync(f.replace(/\/[^/]*$/, ''), { recursive: true });
      fs.writeFileSync(f, 'x');
    }
    await freshet.settle(); // the asset that was warmed before the switch is asked about behind its hit
    const n = two.requests.length;
    const p = await freshet.verb('deploy', '--assets', '.next/static', '--assets', '_nuxt/', '--assets', 'public', '--assets', 'made=/assets/made', '--url', 'http://test');
    equal(p.status, 0, p.stderr);
    check(/assets +4 of 4 fetched/.test(p.stdout), p.stdout);
    equal(two.requests.slice(n).map((r) => r.target).sort().join(' '), '/ /_next/static/chunks/a.js /_nuxt/b%20c.js /assets/made/x/y.js /robots.txt');
    const said = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).sites[0];
    equal(said.warmed_assets, 4);
    for (const [dir, words] of [['nothing', 'No such file'], ['empty', 'there are no files']]) {
      fs.mkdirSync('empty', { recursive: true });
      const q = await freshet.verb('deploy', '--assets', dir);
      equal(q.status, 2, q.stdout);
      check(q.stderr.includes(words), q.stderr);
    }
    const w = await freshet.verb('deploy', '--warm', 'no-such-file');
    equal(w.status, 2);
    check(w.stderr.includes('sitemap, top:N, or a file'), w.stderr);
  });
  await cases.check('scheme and host are those of stored pages, when nobody says them', async () => {
    await ask('/often');
    equal((await deploy({ warm: ['/c'] })).status, 200);
    check(await hit('/c'), 'warm');
  });
  await cases.check('its time is bounded; nobody sees the release before', async () => {
    const r = deploy({ id: 'v4', warm: ['/hangs', '/d'], warm_time: 3600 });
    await hung.asked.opened;
    equal((await freshet.api('GET', '/api/v1/status')).text.includes('v4'), false);
    equal((await deploy({ id: 'other' })).status, 409);
    await freshet.turn('advance 3600000');
    const done = await r;
    equal(done.status, 200);
    equal(done.warm_time_over, true);
    hung.go.open();
  });
  await cases.check('who leaves gives the deploy up', async () => {
    const before = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).sites[0].deploy.release;
    const p = freshet.verb('deploy', '--check', '/never', '--wait', '0s');
    await p;
    check(JSON.parse((await freshet.api('GET', '/api/v1/status')).text).sites[0].deploy.release >= before, 'status answers');
  });
  await cases.check('each page with its own host: the most used ones, those of a sitemap, those that are named', async () => {
    const there = { Host: 'other.example' };
    for (let i = 0; i < 20; i++) await ask('/there', there);
    await ask('/there');
    const n = two.requests.length;
    const r = await deploy({ warm: ['http://other.example/named', 'http://test/named', '/named', 'top:1', 'sitemap:http://other.example/of-other.xml'], assets: ['http://other.example/assets/o.js'],
      check: 'http://other.example/well' });
    equal(r.status, 200, r.message);
    const asked = two.requests.slice(n).map((q) => `${q.fields.host} ${q.target}`);
    // Most visitors use the other host by now.
    for (const q of ['other.example /well', 'other.example /there', 'other.example /named', 'test /named', 'other.example /of-other.xml', 'test /listed', 'other.example /listed', 'other.example /assets/o.js'])
      check(asked.includes(q), `${q} in ${asked.join(', ')}`);
    equal(new Set(asked).size, asked.length, asked.join(', '));
    for (const [target, fields] of [['/there', there], ['/named', there], ['/named', {}], ['/listed', there], ['/listed', {}]])
      check(/^freshet; hit/.test((await ask(target, fields)).fields['cache-status']), `${target} ${JSON.stringify(fields)}`);
  });
});
await two.close();
