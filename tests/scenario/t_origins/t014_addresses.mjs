// An origin's addresses are raced, one that failed is tried last for a while, and its name is resolved again: when its addresses are
// old, and at once when none of them connects. A resolver that is slow or fails holds up nobody.
// scenarios T10; CACHING.md 7
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { check, deaf, equal, reply, scenario, soon } from '../lib.mjs';

// Servers on loopback addresses of their own, all on one port. /bye: the connection ends with the answer; /wait waits for `release`.
let port = 0, release;
const servers = {};
const serve = (host) => new Promise((resolve, reject) => {
  const s = net.createServer((c) => {
    c.on('error', () => {}).on('data', async (d) => {
      const target = d.toString('latin1').split(' ')[1];
      if (target.startsWith('/wait')) await new Promise((r) => (release = r));
      c.write(reply(host, { 'Cache-Control': 'no-store', ...(target.startsWith('/stay') ? {} : { Connection: 'close' }) }));
      if (!target.startsWith('/stay')) c.end();
    });
    open.add(c);
    c.on('close', () => open.delete(c));
  });
  const open = new Set();
  s.on('error', reject).listen(port, host, () => {
    port = s.address().port;
    servers[host] = { connections: 0, close: () => new Promise((r) => {
      for (const c of open) c.destroy();
      s.close(r);
    }) };
    s.on('connection', () => servers[host].connections++);
    resolve();
  });
});
const good = '127.11.0.2', moved = '127.11.0.4', refused = '127.11.0.3', fleeting = '127.11.0.6';
let hole;
for (let tries = 0; !hole; tries++) { // the port may be taken on one of them
  try {
    port = 0;
    for (const host of [good, moved, fleeting]) await serve(host);
    hole = await deaf({ host: '127.11.0.1', port });
  } catch (e) {
    if (tries === 5) throw e;
    await Promise.all(Object.values(servers).map((s) => s.close()));
  }
}

process.env.FRESHET_TEST_HOSTS = path.resolve('hosts');
const hosts = {};
const point = (name, where) => {
  hosts[name] = where;
  fs.writeFileSync('hosts.new', Object.entries(hosts).map(([n, w]) => `${n}.test ${w}\n`).join(''));
  fs.renameSync('hosts.new', 'hosts');
};
const names = ['dual', 'refused', 'moves', 'gone', 'slow', 'first', 'lost', 'all', 'lone', 'aged', 'plain'];
const at = { dual: `${hole.host} ${good}`, refused: `${refused} ${good}`, moves: good, gone: fleeting, slow: good, first: 'slow',
  lost: good, all: `${hole.host} ${hole.host}`, lone: hole.host, aged: good, plain: good };
for (const name of names) point(name, at[name]);

const yaml = () => `origin_idle_timeout: 1h\nconnect_timeout: 5s\nsites:\n${names.map((n) =>
  `  ${n}:\n    hosts: [${n}.test]\n    origin: http://${n}.test:${port}\n${n === 'lone' ? '    connect_timeout: 10m\n' : ''}`).join('')}`;
let n = 0;
await scenario({ yaml }, async ({ ask, connect, cases, freshet }) => {
  const get = (name, target = '/bye') => ask(`${target}?${++n}`, { Host: `${name}.test` });
  const body = async (name, target) => (await get(name, target)).body;
  const connects = async () => (await freshet.gauges()).origin_connects_total;
  const made = async (f) => {
    const before = await connects();
    await f();
    return (await connects()) - before;
  };
  // Asks, and waits until it connects: the name is resolved by then, in a thread that does not know the clock that is turned here.
  const connecting = async (name) => {
    const before = await connects(), answer = get(name);
    await freshet.until('origin_connects_total', '>', before);
    return { answer, before };
  };
  await cases.check('a black hole in front: the next address wins, and is tried first from then on', async () => {
    const { answer } = await connecting('dual');
    await freshet.advance('300ms');
    equal((await answer).body, good);
    equal(await made(async () => {
      for (let i = 0; i < 7; i++) equal(await body('dual'), good);
    }), 7);
  });
  await cases.check('after a while the first one gets another chance', async () => {
    await freshet.advance('61s');
    const { answer, before } = await connecting('dual');
    await freshet.advance('300ms');
    equal((await answer).body, good);
    equal((await connects()) - before, 2);
  });
  await cases.check('one that refuses: the next at once', async () => {
    equal(await made(async () => equal(await body('refused'), good)), 2);
    equal(await made(async () => equal(await body('refused'), good)), 1);
  });
  await cases.check('a name that moves is seen although connections live', async () => {
    equal(await body('moves', '/stay'), good);
    point('moves', moved);
    await freshet.advance('31s');
    equal(await body('moves', '/stay'), good); // in use, and the name is asked for behind it
    await soon(async () => (await body('moves')) === moved);
    const before = servers[moved].connections;
    for (let i = 0; i < 3; i++) equal(await body('moves'), moved);
    check(servers[moved].connections > before, 'no connection to where it is');
  });
  await cases.check('none connects: the name is asked for again at once, for the same request', async () => {
    equal(await body('gone'), fleeting);
    await servers[fleeting].close();
    point('gone', good);
    await freshet.advance('2s');
    equal(await body('gone'), good);
  });
  await cases.check('a black hole alone, and the name has moved', async () => {
    const { answer } = await connecting('lone');
    await freshet.advance('2s');
    point('lone', good);
    const again = get('lone');
    let over = false;
    again.then(() => (over = true));
    // It was asked for a moment ago. The resolver's thread does not know the clock that is turned here: the site has patience for it.
    for (let i = 0; i < 1500 && !over; i++) await freshet.advance('300ms');
    equal((await again).body, good);
    equal((await answer).body, good);
  });
  await cases.check('all are black holes: one time-out for all', async () => {
    const { answer } = await connecting('all');
    await freshet.advance('300ms');
    await freshet.advance('5s');
    const r = await answer;
    equal(r.status, 504);
    check(/detail=connect-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  await cases.check('a slow resolver: the old addresses stay in use, and nobody waits', async () => {
    equal(await body('slow'), good);
    point('slow', 'slow');
    await freshet.advance('31s');
    for (let i = 0; i < 3; i++) equal(await body('slow'), good);
    equal(await body('plain'), good);
    point('slow', moved);
    await soon(async () => (await body('slow')) === moved);
  });
  await cases.check('a resolver that fails: the same', async () => {
    equal(await body('lost'), good);
    point('lost', 'fail');
    await freshet.advance('31s');
    equal(await body('lost'), good);
    await freshet.saying('cannot resolve "lost.test": .*; its old addresses stay in use');
    equal(await body('lost'), good);
  });
  await cases.check('a slow resolver for a name that nobody knows yet: others go on, and it has the time to connect', async () => {
    const r = get('first');
    await freshet.until('requests', '==', 1, 'fetches', '==', 1);
    equal(await body('plain'), good);
    await freshet.advance('6s');
    const answer = await r;
    equal(answer.status, 502);
    check(/detail=resolve-failed/.test(answer.fields['cache-status']), answer.fields['cache-status']);
    const second = get('first');
    await freshet.until('requests', '==', 1);
    point('first', good);
    equal((await second).body, good);
  });
  await cases.check('a connection is used for five minutes at most', async () => {
    equal(await body('aged', '/stay'), good);
    equal(await made(async () => {
      for (let i = 0; i < 7; i++) {
        await freshet.advance('40s');
        equal(await body('aged', '/stay'), good);
      }
    }), 0);
    await freshet.advance('30s');
    equal(await made(async () => equal(await body('aged', '/stay'), good)), 1);
    const c = connect();
    await c.send('GET /wait HTTP/1.1\r\nHost: aged.test\r\n\r\n');
    await soon(() => release);
    await freshet.advance('59s');
    release();
    equal((await c.answers())[0].body, good);
    c.close();
  });
  await hole.close();
});
