// What a slow client or origin acknowledges is its progress, not what the kernel's buffers take: whoever takes a little all the time is never cut, whoever takes nothing is cut in time, on TCP and Unix sockets, with io_uring and epoll.
// CACHING.md 7, scenarios S2 and S4
import { setTimeout as pause } from 'node:timers/promises';
import { Cases, equal, Freshet, Origin, Raw, soon } from '../lib.mjs';

// Bodies that the kernel's buffers cannot hold; steps that are far too short for it to ask for more.
const size = 16_000_000, step = 200_000;
const body = 'x'.repeat(size);
const answer = ({ line }) => {
  if (line.includes('/tunnel')) return ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', body];
  if (line.startsWith('POST')) return 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  return `HTTP/1.1 200 OK\r\nCache-Control: ${line.includes('/kept') ? 's-maxage=6000' : 'no-store'}\r\nContent-Length: ${size}\r\n\r\n${body}`;
};

// Reads that much more.
const take = (c, bytes) => new Promise((resolve, reject) => {
  const goal = c.got + bytes, cut = () => reject(new Error(`cut after ${c.got} bytes`));
  c.socket.on('data', function more() {
    if (c.got < goal) return;
    c.socket.pause();
    c.socket.off('data', more);
    c.socket.off('close', cut);
    resolve();
  });
  c.socket.once('close', cut);
  c.socket.resume();
});

// Until no byte moves any more: the kernels' buffers are full.
async function still(freshet) {
  let before;
  await soon(async () => {
    const g = await freshet.gauges();
    const now = [g.response_body_bytes_total, g.request_body_bytes_total, g.origin_body_bytes_total].join();
    const same = now === before;
    before = now;
    await pause(20);
    return same;
  });
}

// A client that has asked and reads nothing yet.
async function asks(at, text) {
  const c = new Raw(at);
  c.socket.removeAllListeners('data');
  c.got = 0;
  c.socket.on('data', (d) => (c.got += d.length));
  c.socket.pause();
  c.socket.on('error', () => {});
  await c.send(text);
  return c;
}

const engines = process.env.FRESHET_IO ? [process.env.FRESHET_IO] : ['io_uring', 'epoll'];
const cases = new Cases();

// A freshet of this engine, whose clients come by TCP or a Unix socket; both end as they began.
async function world(name, flags, run) {
  const origin = await new Origin(answer).listen();
  const freshet = new Freshet(name);
  try {
    await freshet.start(['--origin', origin.url, ...flags]);
    await run(freshet, origin);
    await cases.check(`${name}: what holds after every scenario`, () => freshet.stop());
  } catch (e) {
    cases.failed++;
    console.log(`FAILED ${name}: ${e.stack}`);
  }
  await origin.close();
}

const get = (target, more = '') => `GET ${target} HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
const ways = {
  'a kept page': get('/kept'),
  'a passing body': get('/passing'),
  'a tunnel': get('/tunnel', 'Connection: upgrade\r\nUpgrade: x\r\n'),
};

for (const io of engines) for (const kind of ['tcp', 'unix']) {
  const flags = ['--io', io, ...(kind === 'tcp' ? ['--listen', '127.0.0.1:0'] : []), '--send-timeout', '60s', '--window-stall', '60s',
    '--tunnel-timeout', '60s', '--between-bytes-timeout', '1h'];
  await world(`${kind}-${io}`, flags, async (freshet) => {
    const at = kind === 'tcp' ? freshet.tcp : freshet.at('front');
    const warm = await asks(at, ways['a kept page']);
    await take(warm, size);
    warm.close();
    await freshet.settle();
    for (const [what, text] of Object.entries(ways)) {
      await cases.check(`${what}, ${kind}, ${io}: who takes a little all the time is not cut, who takes nothing is`, async () => {
        const steady = await asks(at, text), stuck = await asks(at, text);
        await take(steady, step);
        await freshet.until('requests', '==', 2);
        // While the stuck one's buffers still fill up, that is progress: it is cut some time-outs later.
        for (let i = 0; i < 6 || (i < 40 && (await freshet.gauges()).requests === 2); i++) {
          await take(steady, step);
          await freshet.advance('25s');
        }
        await take(steady, step);
        await freshet.until('requests', '==', 1);
        steady.close();
        stuck.close();
        await freshet.until('requests_open', '==', 0, 'fetches', '==', 0);
      });
    }
  });
}

// The same of an origin that takes an upload slowly.
for (const io of engines) {
  await world(`upload-${io}`, ['--io', io, '--first-byte-timeout', '60s', '--body-timeout', '1h'], async (freshet, origin) => {
    await cases.check(`an upload, ${io}: an origin that takes a little all the time is waited for, one that takes nothing is not`, async () => {
      const arrived = [];
      origin.server.removeAllListeners('connection');
      origin.server.on('connection', (socket) => {
        const o = { socket, got: 0 };
        socket.on('error', () => {});
        socket.on('data', (d) => (o.got += d.length));
        socket.pause();
        arrived.push(o);
      });
      const clients = [];
      for (let i = 0; i < 2; i++) {
        const c = new Raw(freshet.at('front'));
        c.socket.write(`POST /${i} HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`);
        c.socket.write(body);
        clients.push(c);
        await soon(() => arrived.length === i + 1);
      }
      await still(freshet);
      for (let i = 0; i < 6 || (i < 40 && !clients[1].text); i++) {
        await take(arrived[0], step);
        await freshet.advance('25s');
      }
      await clients[1].when('a 504 for who asked the stuck one', () => clients[1].text.startsWith('HTTP/1.1 504 '));
      equal(clients[0].text, '', 'the other one waits');
      for (const c of clients) c.close();
      for (const o of arrived) o.socket.destroy();
    });
  });
}
cases.end();
