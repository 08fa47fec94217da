// What one release lacks, a later one may have again: the origin of each is asked about a kept asset once, and a warm list finds it. When
// its time is over, an asset is like any page that is stale.
// CACHING.md 5.9
import fs from 'node:fs';
import { Origin, check, equal, gate, reply, scenario, soon } from '../lib.mjs';

const asset = { 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': 'text/javascript' };
const old = (r) => reply(`old ${r.target}`, asset);
const two = await new Origin(() => reply('nothing', { 'Content-Type': 'text/html' }, '404 Not Found')).listen();
const held = gate();
const three = await new Origin(async (r) => {
  if (r.target === '/assets/held.js') await held.opened;
  return reply(r.target === '/assets/links.js' ? 'import "/assets/held.js"' : `newest ${r.target}`, asset);
}).listen();
const four = await new Origin((r) => reply(`last ${r.target}`, asset)).listen();
const checked = gate(), goes_on = gate();
const broken = await new Origin(async (r) => {
  if (r.target !== '/') return reply('', {}, '503 Service Unavailable');
  checked.open();
  await goes_on.opened;
  return reply('', {});
}).listen();
await scenario({ answer: old, flags: ['--keep-assets', '2h', '--disk', '0'] }, async ({ ask, cases, freshet }) => {
  const deploy = async (...args) => { const p = await freshet.verb('deploy', ...args); equal(p.status, 0, p.stderr); };
  const body = async (target) => { const a = await ask(target); await freshet.settle(); return a.body; };
  const of = (from, target) => from.requests.filter((r) => r.target === target).length;
  await cases.check('missing in one release, there again in the next', async () => {
    for (const t of ['/assets/gone.js', '/assets/410.js']) await ask(t);
    const n = of(two, '/assets/gone.js');
    await deploy('--origin', two.url);
    for (let i = 0; i < 2; i++) equal(await body('/assets/gone.js'), 'old /assets/gone.js');
    equal(of(two, '/assets/gone.js'), n + 1);
    await deploy('--origin', two.url); // it lacks it as well
    for (let i = 0; i < 2; i++) equal(await body('/assets/gone.js'), 'old /assets/gone.js');
    equal(of(two, '/assets/gone.js'), n + 2);
    await deploy('--origin', three.url);
    const said = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/assets/gone.js')}`)).text);
    equal(said.outcome, 'stale');
    equal(await body('/assets/gone.js'), 'old /assets/gone.js');
    equal(await body('/assets/gone.js'), 'newest /assets/gone.js');
  });
  await cases.check('warmed for the next one', async () => {
    await deploy('--rollback');
    for (let i = 0; i < 2; i++) equal(await body('/assets/410.js'), 'old /assets/410.js');
    fs.writeFileSync('list', '/assets/410.js\n');
    await deploy('--origin', three.url, '--warm', 'list', '--url', 'http://test');
    equal(await body('/assets/410.js'), 'newest /assets/410.js');
  });
  await cases.check('a link of what was warmed, followed while the next one goes live, is none of that', async () => {
    fs.writeFileSync('list', '/assets/links.js\n');
    await deploy('--origin', three.url, '--warm', 'list', '--url', 'http://test');
    await soon(() => of(three, '/assets/held.js') === 1);
    await deploy('--origin', four.url);
    held.open();
    await freshet.settle();
    equal(await body('/assets/held.js'), 'last /assets/held.js');
    check(of(four, '/assets/held.js') > 0, 'its own origin is asked');
    await deploy('--origin', three.url);
  });
  await cases.check('when its time is over it is stale like any page, served while the origin fails; an hour later it is freed', async () => {
    await ask('/assets/page.js');
    const deployed = deploy('--origin', broken.url);
    await checked.opened;
    await ask('/assets/meanwhile.js'); // of the release that ends, while the next one is prepared
    goes_on.open();
    await deployed;
    equal(await body('/assets/page.js'), 'newest /assets/page.js');
    await freshet.turn('advance 7300000');
    const a = await ask('/assets/page.js');
    equal(`${a.status} ${a.body}: ${a.fields['cache-status'].replace(/ttl=-?\d+/, 'ttl')}`, '200 newest /assets/page.js: freshet; hit; ttl; detail=stale-error');
    equal(of(broken, '/assets/page.js'), 2, 'asked for once when it was kept, and again now');
    await freshet.turn('advance 3600000');
    await freshet.swept(async () => (await freshet.gauges()).objects === 0);
    equal((await ask('/assets/page.js')).status, 503);
  });
});
for (const one of [two, three, four, broken]) await one.close();
