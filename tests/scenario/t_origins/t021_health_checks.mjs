// With `health` each origin of a site is asked for a path now and then, and one that does not answer as it should is down until it does:
// it gets no requests while another is up. The checks say who asks, go on a connection of their own, and end with the setting.
// CACHING.md 7
import { check, equal, Origin, reply, scenario, soon } from '../lib.mjs';

const answers = {}; // name: what checks get; a string of bytes, null for none
const answer = (name) => (r) => (r.target === '/up?a=b' ? (name in answers ? answers[name] : reply('ok')) : reply(name, { 'Cache-Control': 'no-store' }));
const b = await new Origin(answer('b')).listen();
const health = `    health:
      path: /up?a=b
      every: 5s
      timeout: 2s
      fall: 2
      rise: 2
      expect: [204, 200-299, 401]
`;
const config = (url, more = health, host = '') => `slow_start: 0
sites:
  shop:
    hosts: ["*.shop", shop]
${host}    origin: [${url}, "${b.url}"]
${more}  other:
    hosts: [other]
    origin: ${url}
`;
const status = (code) => reply('', {}, `${code} Status`);
await scenario({ yaml: (url) => config(url), answer: answer('a') }, async ({ ask, cases, freshet, origin }) => {
  const a = origin;
  const checks = (o) => o.requests.filter((r) => r.target === '/up?a=b');
  const names = async (count, host = 'shop') => {
    let all = '';
    for (let i = 0; i < count; i++) all += (await ask('/', { Host: host })).body;
    return all;
  };
  const origins = async () => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins;
  const states = async () => (await origins()).map((o) => o.state).join();
  const total = async () => (await origins()).reduce((n, o) => n + o.checks.good + o.checks.bad, 0);
  // One more check of each.
  const round = async (advance = '5100ms') => {
    const before = await total();
    await freshet.advance(advance);
    await soon(async () => (await total()) >= before + 2);
  };

  await cases.check('each is asked at once, with a name, by the host that the site has', async () => {
    await soon(async () => (await total()) >= 2);
    for (const o of [a, b]) {
      const r = checks(o)[0];
      equal(r.method, 'GET');
      check(/^freshet\/\S+ \(health check\)$/.test(r.fields['user-agent']), r.fields['user-agent']);
      equal(r.fields.host, 'shop');
      equal(r.fields.connection, 'close');
    }
    equal(await states(), 'well,well');
    equal(await names(4), 'abab');
  });
  await cases.check('again after its time', async () => {
    const before = checks(a).length;
    await freshet.advance('1s');
    equal(checks(a).length, before);
    await round();
    equal(checks(a).length, before + 1);
  });
  for (const [what, wrong, says] of [['another status', () => status(302), 'it answered with status 302'],
    ['an answer that is none', () => 'SSH-2.0-x\r\n\r\n', 'malformed'], ['no answer', () => null, 'did not answer in time']]) {
    await cases.check(`${what}: down after two, up after two`, async () => {
      answers.a = wrong();
      const slow = answers.a === null;
      for (let i = 0; i < 2; i++) {
        equal(await states(), 'well,well');
        if (slow) {
          const before = checks(a).length;
          const { bad } = (await origins())[0].checks;
          await freshet.advance('5100ms');
          await soon(() => checks(a).length > before);
          await freshet.advance('2100ms');
          await soon(async () => (await origins())[0].checks.bad > bad);
          equal((await origins())[0].checks.last_reason, 'first-byte-timeout');
        } else {
          await round();
        }
      }
      await soon(async () => (await states()) === 'down,well');
      equal(await names(4), 'bbbb');
      await freshet.saying(`is down for site shop, after 2 failed checks of /up\\?a=b: .*${says}`);
      delete answers.a;
      await round();
      equal(await states(), 'down,well');
      await round();
      equal(await states(), 'well,well');
      equal((await names(4)).replaceAll('b', ''), 'aa');
    });
  }
  await cases.check('a failed one between two good ones counts for nothing', async () => {
    answers.a = status(500);
    await round();
    delete answers.a;
    await round();
    answers.a = status(500);
    await round();
    equal(await states(), 'well,well');
    answers.a = status(204);
    await round();
    answers.a = status(401);
    await round();
    equal(await states(), 'well,well');
    delete answers.a;
  });
  await cases.check('it is down for the site that checks it, and for no other', async () => {
    answers.a = status(500);
    await round();
    await round();
    equal(await states(), 'down,well');
    equal(await names(1, 'other'), 'a');
    const said = await freshet.verb('origin', 'list');
    check(new RegExp(`${a.url}: down; 0 outstanding, .*; checks: \\d+ good, \\d+ failed, the last with status 500`).test(said.stdout), said.stdout);
    check((await freshet.api('GET', '/metrics')).text.match(/freshet_origin_checks_failed_total (\d+)/)[1] > 2, 'not counted');
  });
  await cases.check('when all are down they are asked as ever', async () => {
    answers.b = status(500);
    await round();
    await round();
    equal(await states(), 'down,down');
    equal((await names(2)).length, 2);
    delete answers.a;
    delete answers.b;
    await round();
    await round();
    equal(await states(), 'well,well');
  });
  await cases.check('one that refuses is down, and up when it is back', async () => {
    await b.close();
    await round();
    await round();
    await soon(async () => (await states()) === 'well,down');
    await freshet.saying('is down for site shop, after 2 failed checks .*connection refused');
    await b.listen(b.port);
    await round();
    await round();
    equal(await states(), 'well,well');
  });
  await cases.check('a reload without the setting ends the checks, and what they said', async () => {
    answers.a = status(500);
    await round();
    await round();
    equal(await states(), 'down,well');
    freshet.note('config.yaml', config(a.url, ''));
    freshet.signal('HUP');
    await freshet.saying('info main: reloaded');
    await soon(async () => (await states()) === 'well,well');
    const before = checks(a).length;
    await freshet.advance('1m');
    await names(2);
    equal(checks(a).length, before);
    equal((await origins())[0].checks, undefined);
  });
  await cases.check('and one with it begins again, with the host that is sent to the site', async () => {
    freshet.note('config.yaml', config(a.url, health, '    host: inner.shop:81\n'));
    const before = checks(a).length;
    freshet.signal('HUP');
    await freshet.saying('info main: reloaded', 2);
    await soon(() => checks(a).length > before);
    equal(checks(a).at(-1).fields.host, 'inner.shop:81');
    delete answers.a;
  });
  await cases.check('a check that is under way does not hold up the end', async () => {
    answers.a = null;
    const before = checks(a).length;
    await freshet.advance('5100ms');
    await soon(() => checks(a).length > before);
    delete answers.a;
  });
});
