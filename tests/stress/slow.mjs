// Slow ones harm nobody but themselves: a slow reader of a kept page slows nobody; one of a passing body holds its origin back and
// memory stays flat; who stops reading is cut; an origin that does not take an upload holds its client back.
import { Client, below, check, done, equal, eventually, gate, once, pause, scaled, stress, within } from './lib.mjs';

const pattern = Buffer.from(Array.from({ length: 251 * 4096 }, (_, i) => (i % 251) ^ (i >> 12)));
// The byte at any place of any body here.
const bytes = (from, n) => {
  const parts = [];
  for (let at = from; at < from + n; ) {
    const k = Math.min(from + n - at, pattern.length - (at % pattern.length));
    parts.push(pattern.subarray(at % pattern.length, (at % pattern.length) + k));
    at += k;
  }
  return Buffer.concat(parts);
};
const size_of = (target) => +/-(\d+)/.exec(target)[1];

// /kind-SIZE-...: as fast as it is taken. `sent`: how far each got.
const sent = new Map();
async function answer(request, c) {
  const { target } = request;
  const size = size_of(target);
  const chunked = target.includes('chunked');
  await c.write(`HTTP/1.1 200 OK\r\nCache-Control: ${target.startsWith('/kept') ? 's-maxage=60' : 'no-store'}\r\nCache-Tag: all\r\n` +
    (chunked ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${size}\r\n\r\n`));
  for (let at = 0; at < size && !c.gone; ) {
    const n = Math.min(size - at, 16_384);
    if (chunked) await c.write(`${n.toString(16)}\r\n`);
    await c.write(bytes(at, n));
    if (chunked) await c.write('\r\n');
    at += n;
    sent.set(target, at - c.socket.writableLength);
  }
  if (chunked && !c.gone) await c.write('0\r\n\r\n');
}

// Asks, and reads no more than what the kernels hold.
function stalled(at, target, fields) {
  const c = new Client(at);
  let read = 0;
  c.answer = c.ask(target, fields, { drop: true, onData: (a, d) => {
    if (!d.equals(bytes(read, d.length))) c.wrong = true;
    read += d.length;
  } });
  c.socket.pause();
  return c;
}

{
  const size = 12_000_000;
  await stress('a slow reader of a kept page', { answer, flags: ['--memory', '64M'] }, async ({ at, freshet, origin }) => {
    const target = `/kept-${size}`;
    const slow = Array.from({ length: 10 }, () => stalled(at, target));
    await freshet.until('the slow ones wait', (g) => g.requests_open === 10);
    const began = Date.now();
    const fast = await within('the others', Promise.all(Array.from({ length: 10 }, () => once(at, target))));
    for (const r of fast) check(r.body.length === size && r.body.equals(bytes(0, size)), 'the others get it whole', r.body.length);
    await freshet.until('it is stored', (g) => g.fetches_open === 0 && g.objects === 1);
    equal(origin.requests, 1, 'one request');
    console.log(`  the others had it after ${Date.now() - began} ms`);
    for (const c of slow) c.socket.resume();
    for (const c of slow) {
      const r = await within('the slow ones', c.answer);
      check(!r.cut && r.bytes === size && !c.wrong, 'the slow ones too', r.bytes);
      c.close();
    }
  });
}

{
  const size = 30_000_000;
  const windows = 65_536;
  const n = scaled(20, 6);
  // To the clients by a Unix socket, which holds a few hundred kilobytes. Of TCP the kernel may hold most of these bodies: 4 MB in each
  // send buffer, and receive buffers grow up to tcp_rmem, 32 MB here and there, with what is read; so how far an origin gets would say
  // nothing of freshet.
  const held = 12_000_000; // the origin's send buffer, freshet's receive buffer, the window, the client's socket; with room
  await stress('slow readers of passing bodies', { answer, flags: ['--window-bytes', '64K', '--listen', `unix:/tmp/freshet-stress-${process.pid}.sock`] }, async ({ at, freshet }) => {
    const targets = Array.from({ length: n }, (_, i) => `/private-${size}-${i}${i % 2 ? '-chunked' : ''}`);
    const clients = targets.map((t) => stalled(at, t));
    // Until nothing moves any more: the kernels' buffers and the windows are full.
    let before = '';
    await eventually('the origin is held back', async () => {
      await pause(100);
      const now = targets.map((t) => sent.get(t) ?? 0).join();
      const still = now === before && !now.startsWith('0,');
      before = now;
      return still;
    });
    const g = await freshet.gauges();
    check(g.passing_bytes <= n * (windows + 65_536 + 2 * 16_384), 'the windows and a read beyond them are the bound', g.passing_bytes);
    check(g.passing_bytes >= n * windows * 0.5, 'and used', g.passing_bytes);
    console.log(`  an origin got ${Math.max(...targets.map((t) => sent.get(t)))} bytes rid`);
    for (const t of targets) check(sent.get(t) < held, 'the origin could not send it all', sent.get(t));
    // Half go on, and get every byte.
    await Promise.all(clients.map(async (c, i) => {
      if (i % 3 === 0) return;
      c.socket.resume();
      const r = await within('those that read on', c.answer, 40_000);
      check(!r.cut && r.bytes === size && !c.wrong, 'every byte', r.bytes);
      c.close();
    }));
    // The others are cut when their time is over, and their origins are let go.
    await freshet.advance(10_000); // it is seen what they took before they stopped
    await freshet.advance(31_000);
    await freshet.until('who does not read is cut', (g2) => g2.requests_open === 0 && g2.fetches_open === 0 && g2.passing_bytes === 0);
    for (const [i, c] of clients.entries()) {
      if (i % 3) continue;
      c.socket.resume();
      const r = await within('the end of the cut ones', c.answer);
      check(r.cut, 'what is cut does not look whole', r.bytes);
    }
  });
}

{
  // Bodies that turn out too large while many read along, at every speed, on both workers.
  const size = 1_500_000;
  await stress('a page that turns out too large', { answer, flags: ['--object-bytes', '300000', '--window-bytes', '64K'] }, async ({ at, freshet }) => {
    for (let round = 0; round < scaled(12, 4); round++) {
      const target = `/kept-${size}-chunked-${round}`;
      await within(`round ${round}`, Promise.all(Array.from({ length: 30 }, async (_, i) => {
        const c = new Client(at);
        let read = 0;
        let wrong = false;
        const r = await c.ask(target, {}, { drop: true, onData: (a, d) => {
          wrong ||= !d.equals(bytes(read, d.length));
          read += d.length;
          if (i % 5 === 0 && below(4) === 0) {
            c.socket.pause();
            setTimeout(() => c.socket.resume(), below(15));
          }
          if (i % 7 === 0 && read > 100_000 + i * 30_000) c.close(); // leaves in the middle
        } });
        if (i % 7 !== 0) check(r.status === 200 && !r.cut && read === size, 'all get it whole', () => `${r.status} ${read} ${r.fields['cache-status']}`);
        check(!wrong, 'every byte is right', read);
        c.close();
      })), 40_000);
    }
    await freshet.settle();
    const g = await freshet.gauges();
    equal(g.objects, 0, 'nothing is stored');
    equal(g.passing_bytes, 0, 'nothing is left');
  });
}

{
  // All readers stop; the page is purged, so that only they hold it; all are cut at one moment while they begin to read again.
  const n = scaled(1300, 1100); // more than one turn of a loop deals with
  const size = 1_000_000;
  await stress(`${n} stalled readers are cut at once`, { answer, flags: ['--workers', '1', '--listen', `unix:/tmp/freshet-stress-${process.pid}.sock`] },
    async ({ at, freshet }) => {
      const target = `/kept-${size}`;
      await once(at, target);
      await freshet.settle();
      const clients = Array.from({ length: n }, () => stalled(at, target));
      await freshet.until('all stall', (g) => g.requests_open === n);
      await freshet.purge({ cache_tags: ['all'] });
      await freshet.until('only its readers hold it', (g) => g.objects === 0);
      await freshet.advance(20_000); // it is seen what they took before they stopped
      const cut = freshet.advance(61_000);
      // Every tenth reads on only when it has been cut: which of the others still get it all is a matter of luck.
      const late = (i) => i % 10 === 0;
      for (const [i, c] of clients.entries()) if (!late(i)) c.socket.resume();
      await cut;
      await freshet.until('nobody is left', (g) => g.requests_open === 0);
      let whole = 0;
      for (const [i, c] of clients.entries()) {
        c.socket.resume();
        const r = await within('an end', c.answer);
        check(!c.wrong, 'every byte that came is right', r.bytes);
        if (late(i)) check(r.cut, 'who had not read on was cut', r.bytes);
        whole += !r.cut;
        c.close();
      }
      console.log(`  ${whole} had it all in time`);
    });
}

{
  // An origin that reads nothing of an upload holds its client back; when it reads on, all arrives.
  const go_on = gate();
  const size = 20_000_000;
  let received = 0;
  const uploads = async () => {};
  await stress('an origin that does not take an upload', { answer: uploads }, async ({ at, freshet, origin }) => {
    origin.server.removeAllListeners('connection');
    origin.server.on('connection', (s) => {
      s.on('error', () => {});
      s.pause();
      let tail = Buffer.alloc(0);
      s.on('data', (d) => {
        received += d.length;
        tail = Buffer.concat([tail, d]).subarray(-16);
        if (tail.toString('latin1').endsWith('the very end')) s.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
      s.pause();
      go_on.opened.then(() => s.resume());
    });
    const c = new Client(at);
    const r = c.send('POST', `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${size}\r\n\r\n`);
    let taken = 0;
    const body = bytes(0, size);
    body.write('the very end', size - 12);
    const sending = (async () => {
      for (; taken < size; taken += 65_536) if (!c.socket.write(body.subarray(taken, taken + 65_536))) await new Promise((ok) => c.socket.once('drain', ok));
    })();
    let before = -1;
    await eventually('the client is held back', async () => {
      await pause(100);
      const still = taken === before && taken > 0;
      before = taken;
      return still;
    });
    check(taken < size * 0.8, 'not all could be sent', taken);
    equal((await freshet.gauges()).requests_open, 1, 'it waits');
    go_on.open();
    await within('the rest', sending);
    equal((await within('the answer', r)).body.toString(), 'ok', 'all has arrived');
    check(received > size, 'every byte', received);
    c.close();
  });
}
done();
