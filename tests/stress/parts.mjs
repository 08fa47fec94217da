// By the book (profile rfc9111): ranges and wholes of one page asked for at the same moment, stored in parts and put together, while the
// page changes: everyone gets what he asked for, and never bytes of two versions in one answer.
// scenarios H14; CACHING.md 6.2
import { Client, below, chance, check, done, pause, pick, scaled, stress } from './lib.mjs';

const size = 40_000;
const versions = new Map(); // path: current version
const byte = (v, i) => (i * 13 + v * 101 + (i >> 7)) & 255;
const made = new Map();
const body_of = (v) => {
  if (!made.has(v)) made.set(v, Buffer.from(Array.from({ length: size }, (_, i) => byte(v, i))));
  return made.get(v);
};

async function answer(request, c) {
  const path = request.target;
  const v = versions.get(path) ?? 1;
  const body = body_of(v);
  if (chance(0.5)) await pause(below(6));
  const m = /^bytes=(\d*)-(\d*)$/.exec(request.fields.range ?? '');
  const fields = `Cache-Control: ${path.includes('short') ? 'max-age=1' : 'max-age=600'}\r\nETag: "v${v}"\r\nAccept-Ranges: bytes\r\n`;
  if (request.fields['if-none-match'] === `"v${v}"`) return void (await c.write(`HTTP/1.1 304 Not Modified\r\n${fields}\r\n`));
  let [status, from, to, extra] = ['200 OK', 0, size - 1, ''];
  const if_range = request.fields['if-range'];
  if (m && chance(0.85) && (if_range === undefined || if_range === `"v${v}"`)) {
    from = m[1] === '' ? Math.max(0, size - +m[2]) : +m[1];
    to = m[1] === '' || m[2] === '' ? size - 1 : Math.min(size - 1, +m[2]);
    if (from >= size) return void (await c.write(`HTTP/1.1 416 No\r\nContent-Range: bytes */${size}\r\nContent-Length: 0\r\n\r\n`));
    status = '206 Partial Content';
    extra = `Content-Range: bytes ${from}-${to}/${size}\r\n`;
  }
  await c.write(`HTTP/1.1 ${status}\r\n${fields}${extra}Content-Length: ${to - from + 1}\r\n\r\n`);
  if (request.method === 'HEAD') return;
  const middle = from + below(to - from + 1);
  await c.write(body.subarray(from, middle));
  if (chance(0.5)) await pause(below(6));
  if (chance(0.02)) return void c.destroy();
  await c.write(body.subarray(middle, to + 1));
}

await stress('parts and wholes at once', { answer, flags: ['--profile', 'rfc9111', '--idle-timeout', '1d'] }, async ({ at, freshet }) => {
  const clients = Array.from({ length: 16 }, () => new Client(at));
  let parts = 0;

  function judge(r, range, what) {
    if (r.cut || r.status >= 500) return;
    const v = +/^"v(\d+)"$/.exec(r.fields.etag ?? '')?.[1];
    if (r.status === 416) return void check(range !== null && range.first >= size, `${what}: 416 only of what is not there`, JSON.stringify(range));
    if (!check(v >= 1, `${what}: the page's ETag`, () => `${r.status} ${r.fields.etag}`)) return;
    const body = body_of(v);
    if (r.status === 200) return void check(r.body.equals(body), `${what}: the whole, of one version`, () => `v${v} ${r.body.length} bytes, ${r.fields['cache-status']}, ${JSON.stringify(range)}`);
    const m = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(r.fields['content-range'] ?? '');
    if (!check(r.status === 206 && range && m, `${what}: a part only for who asked for one`, () => `${r.status} ${r.fields['content-range']} ${JSON.stringify(range)} ${r.fields['cache-status']}`)) return;
    parts++;
    check(+m[1] === range.first && +m[2] === Math.min(range.last, size - 1) && +m[3] === size, `${what}: the part that was asked for`, () => `${m[0]} for ${JSON.stringify(range)}`);
    check(r.body.equals(body.subarray(+m[1], +m[2] + 1)), `${what}: of one version`, () => `v${v} ${m[0]} ${r.body.length} bytes`);
  }
  const ask = async (c, path) => {
    if (c.ended) return;
    const kind = pick(['whole', 'from', 'part', 'part', 'suffix']);
    const first = chance(0.4) ? 0 : below(size);
    const range = { whole: null, from: { first, last: size - 1, text: `bytes=${first}-` }, part: { first, last: first + below(8000) },
      suffix: { first: size - 5000, last: size - 1, text: 'bytes=-5000' } }[kind];
    if (kind === 'part') range.text = `bytes=${first}-${range.last}`;
    const r = await c.ask(path, range ? { Range: range.text } : {});
    judge(r, range, kind);
  };
  for (let round = 0; round < scaled(150, 40); round++) {
    const path = `/${pick(['short', 'long'])}-${round}`;
    for (let turn = 0; turn < 4; turn++) {
      await Promise.all(clients.map((c) => ask(c, path)));
      if (chance(0.4)) versions.set(path, (versions.get(path) ?? 1) + 1);
      if (chance(0.3)) await freshet.advance(1500);
      for (const [i, c] of clients.entries()) if (c.ended) clients[i] = new Client(at);
    }
  }
  check(parts > 100, 'there were parts', parts);
  clients.forEach((c) => c.close());
  await freshet.purge({}); // what may be served on errors is kept for ever
});
done();
