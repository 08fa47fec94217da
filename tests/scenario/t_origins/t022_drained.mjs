// An origin that is drained gets nothing new, and what it has begun ends; that holds over reloads, upgrades and restarts until somebody
// undrains it. The last one of a site is drained by force only: then what is stored is served, also stale, and errors else.
// CACHING.md 7
import { check, equal, gate, Origin, reply, request, scenario, soon } from '../lib.mjs';

const held = new Map();
const answer = (name) => (r) => {
  if (r.target.startsWith('/hold')) {
    const g = gate();
    held.set(r.target, g);
    return g.opened.then(() => reply(name, { 'Cache-Control': 'no-store' }));
  }
  if (r.target === '/upgrade') return `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n${name}`;
  return reply(name, { 'Cache-Control': r.target.startsWith('/kept') ? 's-maxage=1, stale-if-error=3600' : 'no-store' });
};
const b = await new Origin(answer('b')).listen();
const yaml = (url) => `slow_start: 0\nsites:\n  shop:\n    hosts: [shop]\n    origin: [${url}, "${b.url}"]\n  blog:\n    hosts: [blog]\n    origin: ${b.url}\n`;
await scenario({ yaml, answer: answer('a') }, async ({ ask, connect, cases, freshet, origin }) => {
  const a = origin;
  let n = 0;
  const get = (target = `/${++n}`, host = 'shop') => ask(target, { Host: host });
  const names = async (count) => {
    let all = '';
    for (let i = 0; i < count; i++) all += (await get()).body;
    return all;
  };
  const post = async (what, body) => {
    const r = await freshet.api('POST', `/api/v1/origins/${what}`, JSON.stringify(body));
    return { status: r.status, ...JSON.parse(r.text) };
  };
  const state = async (i = 0) => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins[i].state;

  await cases.check('it gets nothing new, and what it has begun ends', async () => {
    const all = [];
    for (let i = 0; i < 6; i++) {
      const x = connect();
      await x.send(request(`/hold${i}`, { Host: 'shop' }));
      await soon(() => held.has(`/hold${i}`));
      all.push(x);
    }
    const tunnel = connect();
    await tunnel.send(request('/upgrade', { Host: 'shop', Connection: 'upgrade', Upgrade: 'echo' }));
    await tunnel.when('a tunnel', () => tunnel.text.endsWith('\r\n\r\na'));
    const said = await freshet.verb('origin', 'drain', a.url);
    equal(said.stdout, `${a.url} is drained: it gets nothing new, and has 4 to end\n`);
    equal(said.status, 0);
    equal(await names(10), 'bbbbbbbbbb');
    for (const g of held.values()) g.open();
    let got = '';
    for (const x of all) got += (await x.answers())[0].body;
    equal([...got].sort().join(''), 'aaabbb');
    tunnel.socket.write('echo');
    check(!tunnel.ended, 'the tunnel ended');
    for (const x of [...all, tunnel]) x.close();
    await soon(async () => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins[0].outstanding === 0);
    check((await freshet.verb('origin', 'list')).stdout.includes(`${a.url}: drained; 0 outstanding`), 'list');
    check((await freshet.verb('status')).stdout.includes('drained: it gets nothing new'), 'status');
    check((await freshet.api('GET', '/metrics')).text.includes(`freshet_origin_drained{origin="${a.url}"} 1`), 'metrics');
  });
  await cases.check('once more: nothing changes', async () => {
    const r = await post('drain', { origin: `${a.url}/` });
    equal(`${r.drained} ${r.changed} ${r.durable}`, 'true false true');
    equal((await freshet.verb('origin', 'drain', a.url)).stdout, `${a.url} was already drained: it gets nothing new, and has nothing to do\n`);
  });
  await cases.check('over a reload, an upgrade and a restart', async () => {
    freshet.signal('HUP');
    await freshet.saying('info main: reloaded');
    equal(await names(3), 'bbb');
    await freshet.upgrade();
    await freshet.drained();
    equal(await names(3), 'bbb');
    await freshet.restart(['--yaml', yaml(a.url)]);
    equal(await names(3), 'bbb');
    equal(await state(), 'drained');
  });
  await cases.check('the last one of a site is not, and it says which site', async () => {
    const r = await post('drain', { origin: b.url });
    equal(r.status, 409);
    check(r.message.startsWith('site shop has no other origin that is not drained'), r.message);
    const said = await freshet.verb('origin', 'drain', b.url);
    equal(said.status, 1);
    check(said.stderr.includes('site shop has no other origin'), said.stderr);
    equal(await state(1), 'well');
  });
  await cases.check('until it is undrained', async () => {
    const said = await freshet.verb('origin', 'undrain', a.url);
    equal(said.stdout, `${a.url} is no more drained\n`);
    equal((await freshet.verb('origin', 'undrain', a.url)).stdout, `${a.url} was already not drained\n`);
    equal((await names(4)).replaceAll('b', ''), 'aa');
  });
  await cases.check('of a site with one origin: by force', async () => {
    equal((await post('drain', { origin: b.url })).message.startsWith('site blog has no other'), true);
    equal((await get('/kept/1', 'blog')).body, 'b');
    await freshet.advance('3s');
    equal((await freshet.verb('origin', 'drain', '--force', b.url)).status, 0);
    const r = await get('/x', 'blog');
    equal(r.status, 503);
    check(/detail=origin-drained/.test(r.fields['cache-status']), r.fields['cache-status']);
    const before = b.requests.length;
    const stale = await get('/kept/1', 'blog');
    equal(stale.body, 'b');
    check(/detail=stale-error/.test(stale.fields['cache-status']), stale.fields['cache-status']);
    equal(await names(3), 'aaa');
    await freshet.settle();
    equal(b.requests.length, before);
    equal((await freshet.verb('origin', 'undrain', b.url)).status, 0);
    equal((await get('/x', 'blog')).status, 200);
  });
  await cases.check('what is wrong is said', async () => {
    const rows = [['drain', { origin: 'http://nobody:1' }, 404, `no site has the origin "http://nobody:1"; there are ${a.url}, ${b.url}`],
      ['drain', {}, 400, 'origin is missing: the URL of the one that is meant'], ['undrain', { origin: 5 }, 400, 'origin must be'],
      ['drain', { origin: a.url, force: 1 }, 400, 'force must be true or false'], ['drain', { origni: a.url }, 400, 'origni']];
    for (const [what, body, status, says] of rows) {
      const r = await post(what, body);
      equal(r.status, status);
      check(r.message.includes(says), r.message);
    }
    const said = await freshet.verb('origin', 'drain', 'http://nobody:1');
    equal(said.status, 1);
    check(said.stderr.includes(`there are ${a.url}, ${b.url}`), said.stderr);
  });
});
