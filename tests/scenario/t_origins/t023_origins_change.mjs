// A reload adds an origin and takes one away without a lost request, and what is stored stays; one that is new gets its part bit by bit. A
// deploy with an origin of its own has that one instead of the list. What is wrong in a list is said with its line.
// CACHING.md 7
import { check, equal, gate, Origin, reply, request, scenario, soon } from '../lib.mjs';

const held = new Map();
const answer = (name) => (r) => {
  if (r.target.startsWith('/hold')) {
    const g = gate();
    held.set(r.target, g);
    return g.opened.then(() => reply(name, { 'Cache-Control': 'no-store' }));
  }
  return reply(name, { 'Cache-Control': r.target.startsWith('/kept') ? 's-maxage=3600' : 'no-store' });
};
const b = await new Origin(answer('b')).listen();
const c = await new Origin(answer('c')).listen();
const yaml = (...urls) => `slow_start: 10s\norigin: [${urls.map((u) => `"${u}"`)}]\n`;
await scenario({ yaml: (url) => yaml(url, b.url), answer: answer('a') }, async ({ ask, connect, cases, freshet, origin }) => {
  const a = origin;
  let n = 0, reloads = 0;
  const get = async (target = `/${++n}`) => (await ask(target)).body;
  const names = async (count) => {
    let all = '';
    for (let i = 0; i < count; i++) all += await get();
    return all;
  };
  const sum = (text, name) => [...text].filter((x) => x === name).length;
  const reload = async (...urls) => {
    freshet.note('config.yaml', yaml(...urls));
    freshet.signal('HUP');
    await freshet.saying('info main: reloaded', ++reloads);
  };

  await cases.check('at the start nobody is new', async () => {
    equal(sum(await names(10), 'a'), 5);
    equal(await get('/kept'), 'a');
  });
  await cases.check('one more: it gets a tenth of its part at first, and all of it later', async () => {
    const busy = connect();
    await busy.send(request('/hold'));
    await soon(() => held.has('/hold'));
    await reload(a.url, b.url, c.url);
    held.get('/hold').open();
    equal((await busy.answers()).length, 1);
    busy.close();
    const got = await names(42);
    equal(sum(got, 'c'), 2);
    check(JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins[2].state === 'starting', 'not starting');
    await freshet.advance('10s');
    equal(sum(await names(30), 'c'), 10);
  });
  await cases.check('one less: it gets nothing any more', async () => {
    await reload(b.url, c.url);
    equal(sum(await names(10), 'a'), 0);
  });
  await cases.check('what is stored is there still', async () => {
    equal(await get('/kept'), 'a');
    await reload(c.url);
    equal(await get('/kept'), 'a');
  });
  await cases.check('unless none of them stays', async () => {
    await reload(a.url);
    const before = a.requests.length;
    equal(await get('/kept'), 'a');
    equal(a.requests.length, before + 1);
    await freshet.saying('its cache was emptied');
  });
  await cases.check('a deploy with an origin has that one alone; its rollback has the list', async () => {
    await reload(a.url, b.url);
    await freshet.advance('10s');
    equal((await freshet.verb('deploy', '--id', 'v2', '--origin', c.url)).status, 0);
    equal(await names(4), 'cccc');
    const status = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    equal(status.sites[0].origin, c.url);
    equal((await freshet.verb('deploy', '--rollback')).status, 0);
    const got = await names(4);
    equal(`${sum(got, 'a')}${sum(got, 'b')}`, '22');
  });
  await cases.check('another list in the file overrules the origin of a deploy', async () => {
    equal((await freshet.verb('deploy', '--id', 'v3', '--origin', c.url)).status, 0);
    await reload(a.url);
    equal(await names(2), 'aa');
    await freshet.saying('the file names another origin than before');
  });
  await cases.check('what is wrong is said, and the old ones stay', async () => {
    const rows = [['origin: [http://a, http://a]', 'origin: "http://a" is there twice; give it a weight instead'],
      ['origin: [{url: http://a, backup: true}]', 'all of them are backups'], ['origin:\n- http://a\n- {weight: 2}', 'config.yaml:3: origin 2: url: is missing'],
      ['origin: http://a\nhealth: {path: up}', 'config.yaml:2: health of default: path: "up" is no path; write it like /healthz']];
    for (const [text, says] of rows) {
      freshet.note('config.yaml', text + '\n');
      const said = await freshet.verb('check', freshet.at('config.yaml'));
      equal(said.status, 1);
      check(said.stderr.includes(says), said.stderr);
    }
    freshet.signal('HUP');
    await freshet.saying('reload: the old settings stay');
    equal(await names(2), 'aa');
    freshet.note('config.yaml', yaml(a.url));
  });
  await cases.check('by flags', async () => {
    const said = await freshet.verb('check', '--origin', 'http://127.0.0.1:1', '--origin', 'http://127.0.0.1:2 weight=0', '--listen', '127.0.0.1:0');
    equal(said.status, 2);
    check(said.stderr.includes('--origin: "http://127.0.0.1:2 weight=0" has no valid weight; weights are 1 to 100'), said.stderr);
  });
});
