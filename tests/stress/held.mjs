// Slow readers of large pages cost the others nothing: hot pages stay hits however many there are; who takes nothing while memory is
// short is let go, who reads on is not.
import { Client, check, done, equal, once, scaled, stress, within } from './lib.mjs';

const large = 8 << 20;
const small = 60_000;
const piece = Buffer.alloc(65_536, 'b');
const size_of = (target) => (target.startsWith('/large') ? large : target.startsWith('/small') ? small : 10_000);

async function answer(request, c) {
  const size = size_of(request.target);
  await c.write(`HTTP/1.1 200 OK\r\nCache-Control: s-maxage=600\r\n` +
    (request.target.includes('chunked') ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${size}\r\n\r\n`));
  for (let at = 0; at < size && !c.gone; at += piece.length) {
    const data = piece.subarray(0, Math.min(piece.length, size - at));
    await c.write(request.target.includes('chunked') ? Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]) : data);
  }
  if (request.target.includes('chunked') && !c.gone) await c.write('0\r\n\r\n');
}

// Asks, and reads no more than what the kernels hold.
function stalled(at, target) {
  const c = new Client(at);
  c.answer = c.ask(target, {}, { drop: true });
  c.socket.pause();
  return c;
}

const hot = 300;
// How many of the hot pages are hits, in a few rounds.
async function hits(at, rounds) {
  const c = new Client(at);
  let n = 0;
  for (let i = 0; i < rounds * hot; i++) n += /; hit/.test((await within('a hot page', c.ask(`/hot/${i % hot}`))).fields['cache-status']);
  c.close();
  return n / (rounds * hot);
}

const let_go = (freshet) => freshet.records().filter((l) => `reason=${l.reason}` === 'reason=slow-reader');

// Of a Unix socket the kernel holds little, of TCP some megabytes.
const flags = ['--memory', '32M', '--send-timeout', '1h', '--window-bytes', '64K', '--window-stall', '1h', '--listen', `unix:/tmp/freshet-held-${process.pid}.sock`];

await stress('five hold a page of a quarter of the memory each', { answer, flags, slack: 1 << 20 }, async ({ at, freshet }) => {
  await hits(at, 2);
  const slow = [];
  for (let i = 0; i < 5; i++) {
    slow.push(stalled(at, `/large?${i}`));
    await freshet.until('he waits', (g) => g.requests_open === i + 1);
    await once(at, `/hot/${i}`);
  }
  const reading = stalled(at, '/large?0');
  await freshet.until('one more has the first page', (g) => g.requests_open === 6);
  const ratio = await hits(at, 3);
  check(ratio >= 0.95, 'hot pages are hits', ratio);
  // Memory is short, and five take nothing.
  reading.socket.resume();
  const r = await within('he reads', reading.answer);
  equal(r.bytes, large, 'who reads on gets all of it');
  reading.close();
  for (let i = 0; i < 6; i++) await freshet.advance(3000);
  await freshet.until('memory is short no more', (g) => g.requests_open < 5);
  await freshet.until('who was let go is written down', () => let_go(freshet).length > 0);
  check((await hits(at, 1)) >= 0.95, 'hot pages are hits still');
  const cut = let_go(freshet).length;
  console.log(`  ${(ratio * 100).toFixed(1)} % hits; ${cut} let go`);
  for (const c of slow) c.close();
});

// Nobody is let go: hot pages do not depend on it.
await stress('many hold large and small pages', { answer, flags: [...flags, '--send-rate-min', '0'], slack: 1 << 20 }, async ({ at, freshet }) => {
  const n = scaled(300, 60);
  await hits(at, 2);
  const slow = [];
  let worst = 1;
  for (let i = 0; i < n; i++) {
    slow.push(stalled(at, i % 3 === 0 ? `/large/${i}` : i % 3 === 1 ? `/large/chunked/${i}` : `/small/${i}`));
    if (i % 50 === 49) {
      await freshet.until('they wait', (g) => g.fetches_open < 400);
      worst = Math.min(worst, await hits(at, 1));
    }
  }
  await freshet.until('all of the large ones wait', (g) => g.requests_open >= n / 2);
  worst = Math.min(worst, await hits(at, 2));
  check(worst >= 0.95, 'hot pages are hits', worst);
  const g = await freshet.gauges();
  console.log(`  ${n} slow readers: ${(worst * 100).toFixed(1)} % hits at worst; ${(g.memory_bytes / 2 ** 20).toFixed(1)} MB`);
  for (const c of slow) c.close();
});
done();
