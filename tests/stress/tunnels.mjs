// Upgraded connections: every byte arrives both ways, whoever is slow; each side may end its half first; who leaves is told to the other;
// beside them pages are served.
import { Client, below, chance, check, done, equal, eventually, once, pause, pick, reply, scaled, stress, within } from './lib.mjs';

// A stream of bytes that both ends know: the byte at each place, from a number.
const stream = (id, from, n) => Buffer.from(Array.from({ length: n }, (_, i) => ((from + i) * 31 + id * 7 + ((from + i) >> 8)) & 255));

const kept = new Set(); // sockets of tunnels at the origin
async function answer(request, c) {
  if (!request.fields.upgrade) return void (await c.write(reply('page', { 'Cache-Control': 's-maxage=60' })));
  const how = request.target.split('/')[1];
  if (how === 'refuse') return void c.end(reply('no', { Connection: 'close' }, '426 Upgrade Required'));
  kept.add(c.socket);
  c.socket.on('close', () => kept.delete(c.socket));
  const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n';
  // Sometimes the first bytes come with the head.
  c.socket.write(how === 'early' ? head + 'early ' : head);
  c.onRaw = (d) => {
    if (c.socket.destroyed || c.socket.writableEnded) return;
    if (c.socket.write(d)) return;
    c.socket.pause();
    c.socket.once('drain', () => c.socket.resume());
  };
  if (c.early.length) c.onRaw(c.early);
  if (how === 'echo' || how === 'early' || how === 'slow') c.socket.on('end', () => c.socket.end()); // the echo is whole then
  if (how === 'push') { // ends its own half first, then hears the rest
    c.onRaw = () => {};
    c.socket.write(Buffer.concat([stream(1, 0, 200_000)]));
    c.socket.end();
  }
  if (how === 'leave') setTimeout(() => c.destroy(), below(20));
}

// `early`: bytes right behind the request, before anybody said 101.
async function open(at, target, early = Buffer.alloc(0)) {
  const c = new Client(at, { allowHalfOpen: true });
  const r = await within('the upgrade', c.send('GET', `GET ${target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
    { body: early }));
  return { c, r };
}

await stress('tunnels', { answer, flags: ['--tunnels', '500'] }, async ({ at, freshet }) => {
  const n = scaled(80, 25);
  let stop = false;
  // Pages go on being served.
  const pages = (async () => {
    let served = 0;
    while (!stop) {
      const r = await once(at, '/page');
      check(r.status === 200, 'pages beside tunnels', r.status);
      served++;
      await pause(5);
    }
    return served;
  })();

  // Echo: random pieces, random pauses, and a slow reader now and then.
  await within('all echoes', Promise.all(Array.from({ length: n }, async (_, id) => {
    const how = pick(['echo', 'echo', 'early', 'slow']);
    const first = chance(0.3) ? stream(id, 0, 1000) : Buffer.alloc(0);
    const { c, r } = await open(at, `/${how}/${id}`, first);
    if (!equal(r.status, 101, 'it is upgraded')) return;
    const size = 1000 + below(400_000);
    let got = 0;
    let skip = how === 'early' ? 6 : 0;
    let wrong = false;
    let ended;
    const end = new Promise((ok) => (ended = ok));
    const take = (d) => {
      if (skip) {
        const k = Math.min(skip, d.length);
        skip -= k;
        d = d.subarray(k);
      }
      if (d.length && !d.equals(stream(id, got, d.length))) wrong = true;
      got += d.length;
      if (how === 'slow' && below(8) === 0) {
        c.socket.pause();
        setTimeout(() => c.socket.resume(), below(10));
      }
    };
    c.early.forEach(take);
    c.onRaw = take;
    c.socket.on('end', ended).on('close', ended);
    for (let at_byte = first.length; at_byte < size; ) {
      const k = Math.min(size - at_byte, 1 + below(30_000));
      if (!c.socket.write(stream(id, at_byte, k))) await new Promise((ok) => c.socket.once('drain', ok).once('close', ok));
      at_byte += k;
      if (chance(0.2)) await pause(below(4));
    }
    c.socket.end(); // our half
    await end;
    check(!wrong && got === size, 'every byte comes back', () => `${how} ${id}: ${got} of ${size}, wrong ${wrong}`);
    c.close();
  })), 60_000);

  // The origin ends its half first: all that it sent arrives, and ours stays open until we end it.
  await Promise.all(Array.from({ length: scaled(20, 5) }, async (_, i) => {
    const { c, r } = await open(at, `/push/${i}`);
    equal(r.status, 101, 'it is upgraded');
    let got = Buffer.concat(c.early);
    let ended;
    const end = new Promise((ok) => (ended = ok));
    c.onRaw = (d) => (got = Buffer.concat([got, d]));
    c.socket.on('end', ended);
    await within("the origin's end", end);
    check(got.equals(stream(1, 0, 200_000)), 'all that it said', got.length);
    check(!c.ended && c.socket.writable, 'the other half is open');
    c.socket.end('still here');
    await within('the end of both', c.closed);
  }));

  // Somebody leaves without a word.
  await Promise.all(Array.from({ length: scaled(40, 10) }, async (_, i) => {
    const { c, r } = await open(at, `/${i % 2 ? 'leave' : 'echo'}/${i}`);
    equal(r.status, 101, 'it is upgraded');
    c.onRaw = () => {};
    c.socket.on('end', () => c.socket.end());
    c.socket.write(stream(i, 0, 100_000));
    if (i % 2) await within('the client hears that the origin left', c.closed);
    else {
      await pause(below(10));
      c.socket.resetAndDestroy();
    }
  }));
  await eventually('the origin hears that clients left', () => kept.size === 0);
  await freshet.until('no tunnel is open', (g) => g.tunnels_open === 0 && g.requests_open === 0);

  const refused = await open(at, '/refuse/1');
  equal(refused.r.status, 426, 'a refusal is passed on');
  refused.c.close();

  // A clock that is turned runs into the time limits of a page under way, too.
  stop = true;
  check((await pages) > 3, 'pages were served');

  // Silence ends a tunnel.
  const silent = await open(at, '/echo/silent');
  silent.c.onRaw = () => {};
  silent.c.socket.on('end', () => silent.c.socket.end());
  await freshet.advance(601_000);
  await within('the end of silence', silent.c.closed);
});
done();
