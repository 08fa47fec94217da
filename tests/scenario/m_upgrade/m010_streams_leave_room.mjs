// Tunnels and answers without an end do not take the places of ordinary requests to the origin: they are counted apart, with limits of
// their own. An event stream may be silent as long as a tunnel may.
// scenarios M5; CACHING.md 7
import { check, equal, hangup, reply, scenario } from '../lib.mjs';

const up = 'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const events = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n6\r\ndata:x\r\n';
const endless = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n';
const until_close = 'HTTP/1.1 200 OK\r\n\r\nx';
const sized = 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx';
const answer = (r) => { // /declined: an answer that goes on, in place of the upgrade
  if (r.target === '/declined') return endless;
  if (r.fields.upgrade) return 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
  const name = r.target.split('?')[0];
  if (name === '/late') return null;
  if (name === '/ended') return events + '0\r\n\r\n';
  return { '/events': events, '/endless': endless, '/close': until_close, '/sized': sized, '/hangup': [events, hangup] }[name] ?? reply('page');
};
const flags = ['--origin-connections', '2', '--queue-timeout', '5m', '--tunnels', '4', '--streams', '5', '--tunnel-timeout', '10m',
  '--first-byte-timeout', '10m', '--between-bytes-timeout', '60s', '--origin-idle-timeout', '1h'];
await scenario({ answer, flags }, async ({ connect, ask, cases, freshet, origin, arrived }) => {
  let n = 0;
  const open = async (target, fields = '') => {
    const c = connect();
    const method = target === '/late' ? 'POST' : 'GET'; // whose fetch ends with its client
    await c.send(target === 'up' ? up : target === 'declined' ? up.replace('/ws', '/declined') : `${method} ${target}?${++n} HTTP/1.1\r\nHost: test\r\n${fields}\r\n`);
    return c;
  };
  const begun = (c) => c.when('a head', () => c.text.includes('\r\n\r\n'));
  const page = async () => equal((await ask(`/page?${++n}`)).body, 'page');
  const leave = async (all) => {
    for (const c of all) c.close();
    await freshet.settle();
  };
  await cases.check('as many tunnels as may be, and the site is there', async () => {
    const all = [];
    for (let i = 0; i < 4; i++) all.push(await begun(await open('up')));
    equal(all.map((c) => c.responses()[0].status).join(), '101,101,101,101');
    await page();
    const more = await begun(await open('up'));
    check(/ 503 [^]*detail=tunnel-limit/.test(more.text), more.text);
    await leave([...all, more]);
  });
  await cases.check('a crowd that asks at once does not get more tunnels than there may be', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => open('up')));
    await Promise.all(all.map(begun));
    equal(all.filter((c) => c.text.includes(' 101 ')).length, 4);
    await leave(all);
  });
  await cases.check('who asked for a tunnel and got a page does not hold a place', async () => {
    const page = await begun(await open('declined')), all = [];
    check(page.text.includes(' 200 '), page.text);
    for (let i = 0; i < 4; i++) all.push(await begun(await open('up')));
    equal(all.map((c) => c.responses()[0].status).join(), '101,101,101,101');
    await leave([...all, page]);
  });
  await cases.check('as many event streams as may be, and the site is there', async () => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await begun(await open('/events')));
    equal((await freshet.gauges()).streams_open, 5);
    await page();
    const more = await begun(await open('/events'));
    check(/ 503 [^]*detail=stream-limit/.test(more.text), more.text);
    await freshet.saying('GET test/events: too many answers without an end.*: streams 5 ');
    more.close();
    await freshet.until('requests', '==', 5);
    await page();
    await freshet.advance('5m');
    await cases.check('silent for longer than other answers may be', () => check(all.every((c) => !c.ended), 'cut'));
    for (const s of origin.sockets) s.write('6\r\ndata:y\r\n');
    await Promise.all(all.map((c) => c.when('the next event', () => c.text.endsWith('data:y\r\n'))));
    await freshet.advance('9m');
    check(all.every((c) => !c.ended), 'cut');
    await freshet.advance('2m');
    await cases.check('not for longer than a tunnel', () => Promise.all(all.map((c) => c.closed())));
    await freshet.settle();
    equal((await freshet.gauges()).streams_open, 0);
  });
  for (const target of ['/ended', '/hangup']) {
    await cases.check(`${target}: one that ends gives its place back`, async () => {
      for (let i = 0; i < 7; i++) {
        const c = await begun(await open(target));
        await freshet.settle();
        check(c.text.includes(' 200 '), c.text);
        c.close();
      }
      equal((await freshet.gauges()).streams_open, 0);
    });
  }
  for (const [target, fields] of [['/endless', ''], ['/close', ''], ['/late', 'Accept: text/event-stream\r\n']]) {
    await cases.check(`${target}: after a while it is taken for one`, async () => {
      const before = origin.requests.length, all = [await open(target, fields), await open(target, fields)];
      await arrived(before + 2);
      if (target !== '/late') await Promise.all(all.map(begun));
      const waiting = page();
      await freshet.until('requests', '==', 3);
      await freshet.advance('11s');
      await waiting;
      equal((await freshet.gauges()).streams_open, 2);
      await leave(all);
    });
  }
  await cases.check('beyond their limit they stay where they are', async () => {
    const all = [];
    for (let i = 0; i < 5; i++) all.push(await begun(await open('/events')));
    all.push(await begun(await open('/endless')));
    await freshet.advance('11s');
    await page();
    check(all.every((c) => !c.ended), 'cut');
    equal((await freshet.gauges()).streams_open, 5);
    await leave(all);
  });
  await cases.check('an answer with a length is none, however long it takes', async () => {
    const c = await begun(await open('/sized'));
    await freshet.advance('11s');
    equal((await freshet.gauges()).streams_open, 0);
    await freshet.advance('45s');
    check(!c.ended, 'cut before its time');
    await freshet.advance('6s');
    await c.closed();
    await freshet.settle();
  });
});
