// Of several origins of a site a request gets the one with the least to do for its weight, in turns; one that cannot be reached is
// passed over, within a budget, and tried again later; a backup is asked only while no other is well. What was sent is sent again only
// when it is safe. Status, metrics, explain and the access log say which one it was.
// CACHING.md 7
import fs from 'node:fs';
import { check, equal, gate, hangup, Origin, Raw, reply, request, scenario, soon } from '../lib.mjs';

// Each answers with its name; a target tells it what else to do.
const held = new Map();
const answer = (name) => (r) => {
  if (/^\/hold/.test(r.target)) {
    const g = gate();
    held.set(r.target, g);
    return g.opened.then(() => reply(name, { 'Cache-Control': 'no-store' }));
  }
  if (r.target === '/cut' && name === (cutter ??= name)) return hangup;
  if (name === failing) return reply('failing', {}, '503 Service Unavailable');
  if (/^\/kill/.test(r.target)) return hangup;
  if (r.target === '/part') return ['HTTP/1.1 200 OK\r\nContent-Le', hangup];
  if (r.target === '/upgrade') return `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n${name}`;
  return reply(name, { 'Cache-Control': r.target.startsWith('/kept') ? 's-maxage=1, stale-if-error=3600' : 'no-store' });
};
let cutter, failing;
const b = await new Origin(answer('b')).listen();
const c = await new Origin(answer('c')).listen();
const yaml = (url) => `slow_start: 0
refresh_backoff: 5s
access_log: log.json
sites:
  two:
    hosts: [two]
    origin: [${url}, "${b.url}"]
  weighed:
    hosts: [weighed]
    origin:
      - url: ${url}
        weight: 3
      - ${b.url}
  backed:
    hosts: [backed]
    origin:
      - ${url}
      - {url: "${b.url}", backup: true}
  three:
    hosts: [three]
    origin: [${url}, "${b.url}", "${c.url}"]
`;
await scenario({ yaml, answer: answer('a') }, async ({ ask, connect, cases, freshet, origin }) => {
  const a = origin;
  let n = 0;
  const get = async (host, target = `/${++n}`, options) => ask(target, { Host: host }, options);
  const names = async (host, count, options) => {
    let all = '';
    for (let i = 0; i < count; i++) all += (await get(host, undefined, options)).body;
    return all;
  };
  const sum = (text, name) => [...text].filter((x) => x === name).length;
  const state = async () => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins[0].state;
  const revive = async () => {
    await a.listen(a.port);
    while ((await state()) !== 'well') {
      await freshet.advance('5100ms');
      await get('two');
    }
  };
  const asked = (o) => o.requests.length;
  // The time in which an origin that was not reached is left alone, and the window of the budget.
  const forget = () => freshet.advance('11s');

  await cases.check('in turns', async () => {
    equal(await names('two', 6), 'ababab');
  });
  await cases.check('by weight', async () => {
    const got = await names('weighed', 80);
    equal(sum(got, 'a'), 60);
    equal(sum(got, 'b'), 20);
  });
  await cases.check('a backup gets nothing while another is well', async () => {
    equal(await names('backed', 5), 'aaaaa');
  });
  await cases.check('the one with the least to do, whose answers are awaited', async () => {
    const waiting = [];
    for (let i = 0; i < 8; i++) {
      const x = connect();
      await x.send(request(`/hold${i}`, { Host: 'weighed' }));
      await soon(() => held.has(`/hold${i}`));
      waiting.push(x);
    }
    for (const g of held.values()) g.open();
    let got = '';
    for (const x of waiting) got += (await x.answers())[0].body;
    equal(sum(got, 'a'), 6);
    equal(sum(got, 'b'), 2);
    for (const x of waiting) x.close();
    held.clear();
    await freshet.settle();
  });
  await cases.check('a hit asks none', async () => {
    const first = await get('two', '/kept/hit');
    const before = asked(a) + asked(b);
    equal((await get('two', '/kept/hit')).body, first.body);
    equal(asked(a) + asked(b), before);
  });
  await cases.check('a tunnel goes to one of them, and counts as what it has to do', async () => {
    const tunnels = [];
    for (let i = 0; i < 4; i++) {
      const x = connect();
      await x.send(request('/upgrade', { Host: 'two', Connection: 'upgrade', Upgrade: 'echo' }));
      await x.when('a tunnel', () => /\r\n\r\n[ab]$/.test(x.text));
      tunnels.push(x);
    }
    const got = tunnels.map((x) => x.text.at(-1)).join('');
    equal(sum(got, 'a'), 2);
    const out = async () => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites[0].origins.map((o) => o.outstanding).join();
    equal(await out(), '2,2');
    for (const x of tunnels) x.close();
    await soon(async () => (await out()) === '0,0');
  });
  await cases.check('the access log, status, metrics and explain say which one', async () => {
    const r = await get('two', '/which');
    await soon(() => /"url":"\/which".*\n/.test(fs.readFileSync('log.json', 'utf8')));
    const line = JSON.parse(fs.readFileSync('log.json', 'utf8').split('\n').find((l) => l.includes('"url":"/which"')));
    equal(`http://${line.origin}`, { a, b }[r.body].url);
    const hit = JSON.parse(fs.readFileSync('log.json', 'utf8').split('\n').filter((l) => l.includes('"url":"/kept/hit"'))[1]);
    equal(hit.origin, undefined);
    check(!r.head.includes(line.origin), 'visitors learn the address');
    const status = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    const site = status.sites.find((s) => s.name === 'weighed');
    equal(site.origin, `${a.url} weight=3, ${b.url}`);
    equal(site.origins.map((o) => `${o.url} ${o.state} ${o.weight} ${o.backup}`).join(), `${a.url} well 3 false,${b.url} well 1 false`);
    equal(status.origins.length, 3); // c, too: explain, status or a request has looked
    const explain = await freshet.verb('explain', 'http://two/x');
    equal(explain.status, 0);
    check(explain.stdout.includes(`${a.url}: well`) && explain.stdout.includes(`${b.url}: well`), explain.stdout);
    const metrics = (await freshet.api('GET', '/metrics')).text;
    for (const m of ['outstanding', 'sick', 'drained']) check(metrics.includes(`freshet_origin_${m}{origin="${a.url}"} 0`), m);
    const listed = await freshet.verb('origin', 'list');
    check(listed.stdout.includes(`${b.url}: well, backup; 0 outstanding`), listed.stdout);
  });

  // ---- one goes away ----

  await cases.check('a connection that ends before any answer: a GET goes to the other one, once', async () => {
    equal((await get('two', '/cut')).status, 200);
    equal((await freshet.gauges()).fetch_moves_total, 1);
    equal((await get('three', '/kill1')).status, 502);
    equal([a, b, c].filter((o) => o.requests.some((r) => r.target === '/kill1')).length, 2);
  });
  await cases.check('a POST whose connection ends is not sent twice', async () => {
    const r = await get('two', '/kill2', { method: 'POST', body: 'once' });
    equal(r.status, 502);
    equal(a.requests.concat(b.requests).filter((x) => x.target === '/kill2').length, 1);
  });
  await cases.check('an answer that has begun is not asked for again', async () => {
    equal((await get('two', '/part')).status, 502);
    equal(a.requests.concat(b.requests).filter((x) => x.target === '/part').length, 1);
    await forget();
    await names('three', 6); // all are well
  });
  await cases.check('one is killed under load: what is safe is answered by the other, also what waited there', async () => {
    const before = (await freshet.gauges()).fetch_moves_total;
    const all = [];
    for (let i = 0; i < 12; i++) {
      const x = connect();
      await x.send(request(`/hold-k${i}`, { Host: 'two' }));
      await soon(() => held.has(`/hold-k${i}`));
      all.push(x);
    }
    const at_a = a.requests.filter((r) => r.target.startsWith('/hold-k')).length;
    equal(at_a, 6);
    await a.close();
    await soon(() => b.requests.filter((r) => r.target.startsWith('/hold-k')).length === 12);
    for (const g of held.values()) g.open();
    for (const x of all) equal((await x.answers())[0].body, 'b');
    for (const x of all) x.close();
    held.clear();
    equal((await freshet.gauges()).fetch_moves_total, before + 6);
    for (let i = 0; i < 30; i++) equal((await get('two')).body, 'b');
    equal((await get('two', undefined, { method: 'POST', body: 'x' })).body, 'b');
    equal((await get('backed')).body, 'b');
    await freshet.saying(`is asked instead`);
  });
  await cases.check('it is left alone for a second, then tried', async () => {
    const before = (await freshet.gauges()).origin_connects_total;
    await freshet.advance('500ms');
    await names('two', 4);
    equal((await freshet.gauges()).origin_connects_total, before);
    await freshet.advance('600ms');
    equal(await names('two', 4), 'bbbb');
    const now = (await freshet.gauges()).origin_connects_total;
    check(now === before + 1 || now === before + 2, `${now - before} times`); // it may be sick by then, and is tried as such, too
  });
  await cases.check('a POST that never reached it is sent to the other', async () => {
    await revive();
    await a.close();
    await freshet.advance('31s'); // its idle connections are closed
    const before = (await freshet.gauges()).fetch_moves_total;
    for (let i = 0; i < 2; i++) {
      const r = await get('two', `/post${i}`, { method: 'POST', body: `body ${i}` });
      equal(r.body, 'b');
      equal(b.requests.at(-1).body, `body ${i}`);
    }
    equal((await freshet.gauges()).fetch_moves_total, before + 1);
  });
  await cases.check('it is sick by then: one request in refresh_backoff tries it, which is none that may not be sent twice', async () => {
    for (let i = 0; i < 6; i++) {
      await freshet.advance('1100ms');
      await get('two');
    }
    equal(await state(), 'sick');
    await forget();
    const before = await freshet.gauges();
    equal(await names('two', 5, { method: 'POST', body: 'x' }), 'bbbbb');
    equal((await freshet.gauges()).origin_probes_total, before.origin_probes_total);
    equal(await names('two', 5), 'bbbbb');
    equal((await freshet.gauges()).origin_probes_total, before.origin_probes_total + 1);
    equal((await freshet.gauges()).fetches_failed_total, before.fetches_failed_total);
    const status = await freshet.verb('status');
    check(/sick/.test(status.stdout), status.stdout);
    check((await freshet.api('GET', '/metrics')).text.includes(`freshet_origin_sick{origin="${a.url}"} 1`), 'not in the metrics');
  });
  await cases.check('it comes back: the one that tries finds it well, and it gets its part', async () => {
    await a.listen(a.port);
    await freshet.advance('5100ms');
    equal(await names('two', 1), 'a');
    const got = await names('two', 10);
    equal(sum(got, 'a'), 5);
    equal(await names('backed', 3), 'aaa');
  });
  await cases.check('the one that tries a sick one that answers with errors gets its answer from another', async () => {
    failing = 'a';
    for (let i = 0; i < 12; i++) {
      await get('two');
      await freshet.advance('300ms');
    }
    equal(await state(), 'sick');
    await forget();
    const before = await freshet.gauges();
    equal(await names('two', 5), 'bbbbb');
    const now = await freshet.gauges();
    equal(now.origin_probes_total, before.origin_probes_total + 1);
    equal(now.fetch_moves_total, before.fetch_moves_total + 1);
    failing = undefined;
    await freshet.advance('5100ms');
    equal((await get('two')).body, 'a');
    equal(await state(), 'well');
  });
  await cases.check('nor does it wait for one that hangs', async () => {
    await a.close();
    for (let i = 0; i < 12; i++) {
      await get('two');
      await freshet.advance('1100ms');
    }
    await forget();
    await a.listen(a.port);
    const x = connect();
    await x.send(request('/hold-hang', { Host: 'two' }));
    await soon(() => held.has('/hold-hang'));
    await freshet.advance('5100ms'); // first_byte_timeout is a minute
    await soon(() => b.requests.at(-1).target === '/hold-hang');
    held.get('/hold-hang').open();
    equal((await x.answers())[0].body, 'b');
    x.close();
    held.clear();
    await freshet.advance('5100ms');
    equal((await get('two')).body, 'a');
  });

  // ---- all go away ----

  await cases.check('all refuse: the budget bounds what is tried again', async () => {
    await freshet.advance('30s');
    await Promise.all([a.close(), b.close(), c.close()]);
    const before = await freshet.gauges();
    for (let i = 0; i < 150; i++) equal((await get('three')).status, 502);
    const now = await freshet.gauges();
    const moves = now.fetch_moves_total - before.fetch_moves_total;
    equal(moves, 30); // a fifth of 150
    equal(now.origin_connects_total - before.origin_connects_total, 150 + moves);
    equal(now.fetch_moves_refused_total > before.fetch_moves_refused_total, true);
  });
  await cases.check('what may be stale on an error is served at once when all of them are sick, and not before', async () => {
    await Promise.all([a.listen(a.port), b.listen(b.port), c.listen(c.port)]);
    await freshet.advance('30s');
    await names('two', 10);
    await freshet.advance('6s');
    await names('two', 10);
    equal((await get('two', '/kept/1')).status, 200);
    await a.close();
    for (let i = 0; i < 8; i++) {
      await freshet.advance('1100ms');
      await get('two');
    }
    const r = await get('two', '/kept/1'); // long expired: b is well, and is asked
    equal(r.body, 'b');
    check(!/detail=stale/.test(r.fields['cache-status']), r.fields['cache-status']);
    await b.close();
    for (let i = 0; i < 8; i++) {
      await freshet.advance('1100ms');
      await get('two');
    }
    const before = (await freshet.gauges()).origin_connects_total;
    const stale = await get('two', '/kept/1');
    equal(stale.body, 'b');
    check(/detail=stale-error/.test(stale.fields['cache-status']), stale.fields['cache-status']);
    await freshet.settle(); // one page is refreshed, and tries whether one is well
    await get('two', '/kept/1');
    await freshet.settle();
    check((await freshet.gauges()).origin_connects_total - before <= 2, 'the origins were asked');
  });
});
