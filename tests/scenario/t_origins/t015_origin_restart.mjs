// While an origin refuses connections, idempotent requests are tried again for `origin_retry`: who came during its restart gets an
// answer. The time is the same for all who wait, also in the queue; without the setting the answer is a 502 at once.
// CACHING.md 7
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { check, equal, Origin, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.method} ${r.body}`, { 'Cache-Control': r.target.startsWith('/kept') ? 's-maxage=1, stale-if-error=3600' : 'no-store' });
const spare = await new Origin(answer).listen(); // a port that is ours, and nobody's while it is down
const { port } = spare;
await spare.close();
const local = path.resolve('origin');
const site = (name, origin, more = '') => `  ${name}:\n    hosts: [${name}]\n    origin: ${origin}\n${more}`;
const yaml = (url) => `origin_retry: 2s\nsites:\n${site('tcp', `http://127.0.0.1:${port}`)}${site('unix', `unix:${local}`)}` +
  site('one', `http://127.0.0.2:${port}`, '    origin_connections: 1\n') + site('never', `http://127.0.0.3:${port}`, '    origin_retry: 0\n') +
  site('up', url);
await scenario({ yaml, answer }, async ({ connect, cases, freshet }) => {
  let n = 0;
  const retries = async () => (await freshet.gauges()).origin_retries_total;
  const send = async (host, method = 'GET', body = '', target = `/${++n}`) => {
    const c = connect();
    await c.send(request(target, { Host: host }, { method, body }));
    return c;
  };
  const got = async (c) => {
    const r = (await c.answers()).at(-1);
    c.close();
    return r;
  };
  const given_up = async (c) => {
    while (c.text === '') await freshet.advance('300ms');
  };
  const forget = () => freshet.advance('10s'); // an outage is over when nothing was refused for a while
  for (const [method, body] of [['GET', ''], ['PUT', 'a body'], ['DELETE', ''], ['OPTIONS', '']]) {
    await cases.check(`${method}: answered when the origin is back`, async () => {
      const before = await retries();
      const c = await send('tcp', method, body);
      await freshet.until('origin_retries_total', '>', before);
      const origin = await new Origin(answer).listen(port);
      await freshet.advance('150ms');
      equal((await got(c)).body, `${method} ${body}`);
      await freshet.settle();
      await origin.close();
      await forget();
    });
  }
  await cases.check('a socket that is not there yet', async () => {
    const before = await retries();
    const c = await send('unix');
    await freshet.until('origin_retries_total', '>', before);
    const server = net.createServer((s) => s.on('data', () => s.end(reply('local', { Connection: 'close' }))).on('error', () => {}));
    await new Promise((r) => server.listen(local, r));
    await freshet.advance('150ms');
    equal((await got(c)).body, 'local');
    await new Promise((r) => server.close(r));
    fs.rmSync(local, { force: true });
  });
  await cases.check('POST is not idempotent', async () => {
    const before = await retries();
    equal((await got(await send('tcp', 'POST', 'x'))).status, 502);
    equal(await retries(), before);
  });
  await cases.check('not for longer than its time, and the log says for how long', async () => {
    await forget();
    const before = await retries();
    const c = await send('tcp');
    for (let i = 1; i <= 3; i++) {
      await freshet.until('origin_retries_total', '>=', before + i);
      await freshet.advance('150ms');
    }
    check(!c.ended && c.text === '', 'given up too early');
    await given_up(c);
    const r = await got(c);
    equal(r.status, 502);
    check(/detail=connect-failed/.test(r.fields['cache-status']), r.fields['cache-status']);
    const told = +/tried again for (\d+) ms/.exec(freshet.log())[1];
    check(told >= 2000 && told < 20_000, `${told} ms`);
  });
  await cases.check('who comes later does not wait another time for it', async () => {
    const before = await retries();
    equal((await got(await send('tcp'))).status, 502);
    equal(await retries(), before);
  });
  await cases.check('nor who waited in the queue behind it', async () => {
    await forget();
    const first = await send('one');
    const before = await retries();
    await freshet.until('origin_retries_total', '>', before - 1, 'requests', '==', 1);
    const others = [await send('one'), await send('one')];
    await freshet.until('requests', '==', 3);
    await given_up(first);
    for (const c of [first, ...others]) equal((await got(c)).status, 502);
  });
  await cases.check('who waited in the queue is answered when the origin is back', async () => {
    await forget();
    const before = await retries();
    const all = [await send('one'), await send('one'), await send('one')];
    await freshet.until('requests', '==', 3, 'origin_retries_total', '>', before);
    const server = net.createServer((s) => s.on('data', () => s.write(reply('back'))).on('error', () => {}));
    await new Promise((r) => server.listen(port, '127.0.0.2', r));
    await freshet.advance('150ms');
    for (const c of all) equal((await got(c)).body, 'back');
    await freshet.settle();
    server.close();
  });
  await cases.check('a client that leaves does not hold it up', async () => {
    await forget();
    const before = await retries();
    const c = await send('tcp');
    await freshet.until('origin_retries_total', '>', before);
    c.close();
    await freshet.advance('3s');
    await freshet.settle();
  });
  await cases.check('what may be served stale is served at once', async () => {
    const origin = await new Origin(answer).listen(port);
    equal((await got(await send('tcp', 'GET', '', '/kept'))).body, 'GET ');
    await origin.close();
    await freshet.advance('10s');
    const before = await retries();
    const r = await got(await send('tcp', 'GET', '', '/kept'));
    check(/detail=stale-error/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(await retries(), before);
  });
  await cases.check('without the setting: at once', async () => {
    const before = await retries();
    equal((await got(await send('never'))).status, 502);
    equal(await retries(), before);
  });
  await cases.check('others are answered meanwhile', async () => {
    await forget();
    const c = await send('tcp');
    equal((await got(await send('up'))).status, 200);
    c.close();
    await freshet.advance('3s');
    await freshet.settle();
  });
});
