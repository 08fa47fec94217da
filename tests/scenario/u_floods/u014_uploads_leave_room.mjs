// Uploads that drip take no more than half of origin_connections; others are answered meanwhile, and each upload in its turn. A short one
// takes none before it is whole.
// CACHING.md 7, scenarios U14, S2
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const answer = (r) => (r.target === '/slow' ? null : reply(`${r.line.split(' ')[0]} ${r.fields['content-length'] ?? '-'} ${r.body.length}`, { 'Cache-Control': 'no-store' }));
const yaml = (url) => `origin: ${url}\norigin_connections: 4\nbody_timeout: 30s\nbody_rate_min: 1000\nqueue_timeout: 10m\nfirst_byte_timeout: 10m\n`;
const size = 100_000;
const long = `POST /long HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`;
const chunked = 'POST /chunks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n';
const short = (bytes, more = '') => `POST /short HTTP/1.1\r\nHost: test\r\n${more}Content-Length: ${bytes}\r\n\r\n`;
await scenario({ yaml, answer, flags: ['--workers', '2'] }, async ({ connect, cases, freshet, origin, ask }) => {
  const gauge = async (name) => +new RegExp(`^freshet_${name}\\{.*\\} (\\d+)$`, 'm').exec((await freshet.api('GET', '/metrics')).text)[1];
  const counts = async () => `${await gauge('origin_in_use')} in use, ${await gauge('origin_uploads')} uploads, ${await gauge('origin_waiting')} wait`;
  const are = (wanted) => soon(async () => (await counts()) === wanted).catch(async () => equal(await counts(), wanted));
  const begun = async (bytes, n) => {
    const all = Array.from({ length: n }, () => connect());
    for (const c of all) await c.send(bytes);
    return all;
  };
  const whole = async (c) => equal((await c.answers())[0].body, `POST ${size} ${size}`);

  const slow = await begun(`${long}x`, 8);
  await cases.check('eight uploads that drip have two of four connections', async () => {
    await are('2 in use, 2 uploads, 6 wait');
    await soon(() => origin.sockets.size === 2);
  });
  await cases.check('pages and short uploads are answered meanwhile', async () => {
    for (let i = 0; i < 3; i++) {
      const all = await Promise.all([...Array(4)].map((_, k) => ask(`/${i}-${k}`)));
      for (const r of all) equal(r.body, 'GET - 0');
      equal((await ask('/short', {}, { method: 'POST', body: 'abc' })).body, 'POST 3 3');
    }
    await are('2 in use, 2 uploads, 6 wait');
  });
  await cases.check('one that comes whole while it waits is one of the others', async () => {
    const c = connect();
    await c.send(`${chunked}3\r\nabc\r\n`);
    await are('2 in use, 2 uploads, 7 wait');
    await c.send('0\r\n\r\n');
    equal((await c.answers())[0].body, 'POST - 3');
    await are('2 in use, 2 uploads, 6 wait');
    c.close();
  });
  await cases.check('one that has come makes room for the next, before it is answered', async () => {
    const [c] = await begun('POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n', 1); // behind the eight
    for (const u of slow) await u.send('x'.repeat(size - 1));
    await Promise.all(slow.map(whole));
    await are('1 in use, 1 uploads, 0 wait');
    await c.send('0\r\n\r\n');
    await are('1 in use, 0 uploads, 0 wait');
    const more = await begun(`${long}x`, 3);
    await are('3 in use, 2 uploads, 1 wait');
    for (const u of [c, ...more, ...slow]) u.close();
    await freshet.settle();
    equal(await counts(), '0 in use, 0 uploads, 0 wait');
  });
  await cases.check('a short upload that drips holds no connection', async () => {
    const before = (await freshet.gauges()).fetches_total, heard = origin.requests.length;
    const drips = await begun(`${short(65_536)}x`, 20);
    await freshet.until('requests', '==', 20);
    equal(await counts(), '0 in use, 0 uploads, 0 wait');
    equal((await freshet.gauges()).fetches_total, before, 'fetches');
    equal((await ask('/short', {}, { method: 'POST', body: 'abc' })).body, 'POST 3 3');
    equal((await ask('/')).body, 'GET - 0');
    equal(origin.requests.length, heard + 2, 'requests that the origin saw');
    await drips[0].send('x'.repeat(65_535));
    equal((await drips[0].answers())[0].body, 'POST 65536 65536');
    equal(origin.requests.length, heard + 3);
    await freshet.advance('31s');
    for (const c of drips.slice(1)) {
      const [r] = await c.answers();
      equal(r.status, 408);
      equal(r.fields.connection, 'close');
    }
    equal(origin.requests.length, heard + 3);
    for (const c of drips) c.close();
    await freshet.settle();
  });
  await cases.check('one byte more goes on as it comes, and so does what is to', async () => {
    for (const bytes of [short(65_537), short(100, 'Incremental: ?1\r\n'), short(100, 'Connection: upgrade\r\nUpgrade: other\r\n'), chunked]) {
      const [c] = await begun(bytes, 1);
      await are('1 in use, 1 uploads, 0 wait');
      c.close();
      await freshet.settle();
    }
  });
  await cases.check('the origin is asked whether it wants a short body; else the client is told at once', async () => {
    const [c] = await begun(short(3, 'Expect: 100-continue\r\n'), 1);
    await are('1 in use, 1 uploads, 0 wait');
    await freshet.advance('2s'); // it says nothing
    await c.when('100', () => c.text.includes(' 100 '));
    await c.send('abc');
    equal((await c.answers()).at(-1).body, 'POST 3 3');
    c.close();
    await freshet.settle();
    freshet.note('config.yaml', `${freshet.note('config.yaml')}\ncontinue_timeout: 0\n`);
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    const [d] = await begun(short(3, 'Expect: 100-continue\r\n'), 1);
    await d.when('100', () => d.text.includes(' 100 '));
    equal(await counts(), '0 in use, 0 uploads, 0 wait');
    await d.send('abc');
    equal((await d.answers()).at(-1).body, 'POST 3 3');
    d.close();
    await freshet.settle();
  });
  await cases.check('who asks for an answer and gets it early gives its place back', async () => {
    const [a, b] = await begun(`${long}x`, 2);
    await are('2 in use, 2 uploads, 0 wait');
    for (const s of origin.sockets) s.write(reply('early', { Connection: 'close' }));
    for (const c of [a, b]) equal((await c.answers())[0].body, 'early');
    for (const c of [a, b]) c.close();
    await freshet.settle();
    equal(await counts(), '0 in use, 0 uploads, 0 wait');
  });
  await cases.check('uploads have half of the queue as well, and the log says what is full', async () => {
    freshet.note('config.yaml', `${freshet.note('config.yaml')}\norigin_queue: 4\n`);
    freshet.signal('HUP');
    await freshet.saying('reloaded', 2);
    const all = await begun(`${long}x`, 4);
    await are('2 in use, 2 uploads, 2 wait');
    const [late] = await begun(`${long}x`, 1);
    const [r] = await late.answers();
    equal(r.status, 503);
    check(/detail=origin-queue-full/.test(r.fields['cache-status']), r.fields['cache-status']);
    await freshet.saying('origin_connections 4, half of them for uploads that still come, origin_queue 4');
    equal((await ask('/')).body, 'GET - 0');
    for (const c of [...all, late]) c.close();
    await freshet.settle();
    equal(await counts(), '0 in use, 0 uploads, 0 wait');
  });
});
