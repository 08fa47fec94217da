// In a body that turned passing, one who takes nothing is cut after a second when another waits for more; who reads alone keeps window_stall.
// CACHING.md 7
// also over tls
import { randomBytes } from 'node:crypto';
import { check, equal, gate, Raw, scenario } from '../lib.mjs';

const size = 128 * 65_536, chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
const text = randomBytes(size / 2).toString('hex'); // a coding makes half of it
let head = gate(), rest = gate();
const answer = async (r) => {
  await head.opened;
  if (r.target.startsWith('/html')) return ['HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n',
    rest.opened.then(() => `${size.toString(16)}\r\n${text}\r\n0\r\n\r\n`)];
  return `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(size / 65_536)}0\r\n\r\n`;
};
const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
await scenario({ answer, flags: ['--object-bytes', '1M', '--window-bytes', '256K', '--window-stall', '10m', '--send-timeout', '1h', '--between-bytes-timeout', '1h'] }, async ({ cases, freshet }) => {
  const asks = async (path, paused, more) => {
    const c = new Raw('front');
    c.socket.removeAllListeners('data');
    c.got = 0;
    c.socket.on('data', (d) => (c.got += d.length));
    if (paused) c.socket.pause();
    await c.send(get(path, more));
    return c;
  };
  // Until no byte comes from the origin any more.
  const held = async () => {
    for (let before = -1, same = 0; same < 5;) {
      const now = (await freshet.gauges()).origin_body_bytes_total;
      same = now === before && now > 0 ? same + 1 : 0;
      before = now;
      await new Promise((r) => setTimeout(r, 10));
    }
  };
  const holds = (path, more) => async () => {
    const fast = await asks(path, false), idle = await asks(path, true, more);
    await freshet.until('requests', '==', 2);
    if (more) idle.socket.resume();
    head.open();
    if (more) {
      // It has begun, and then stops.
      await idle.when('the first piece', () => idle.got > 0);
      idle.socket.pause();
      rest.open();
    }
    await held();
    check(fast.got < size, 'the idle one holds it up');
    await freshet.advance('500ms'); // what it took before is seen
    await freshet.advance('1100ms');
    await fast.when('all of it', () => fast.got > size);
    await freshet.until('requests_open', '==', 0);
    check(idle.got < size, 'the idle one was cut');
    fast.close();
    idle.close();
  };
  await cases.check('a joiner that reads nothing does not hold up the other', holds('/page'));
  head = gate();
  for (const coding of ['br', 'gzip']) {
    await cases.check(`nor does one that gets it in ${coding}`, holds(`/html/${coding}`, `Accept-Encoding: ${coding}\r\n`));
    head = gate();
    rest = gate();
  }
  await cases.check('alone it has window_stall', async () => {
    const alone = await asks('/alone', true);
    head.open();
    await held();
    await freshet.advance('6m');
    await held();
    equal((await freshet.gauges()).requests, 1, 'it is there');
    // What still went into its socket after the latest look counts as taken: then it has as long again.
    for (let i = 0; i < 3 && (await freshet.gauges()).requests_open; i++) {
      await freshet.advance('11m');
      await held();
    }
    await freshet.until('requests_open', '==', 0);
    alone.close();
  });
});
