// When the head says that nothing will be stored, the visitor's own Range and conditions go to the origin, at once and from then on; a
// range that is at hand is cut out as it comes.
// CACHING.md 3.7, 6.2
import { check, equal, reply, scenario } from '../lib.mjs';

const film = 'x'.repeat(8 << 20) + 'the end';
const page = 'a small page';
let policy = 'private';

// A server of files that knows ranges and conditions.
function file(r, body, fields = {}) {
  const all = { ETag: '"v1"', 'Last-Modified': 'Thu, 01 Jan 2015 00:00:00 GMT', 'Cache-Control': policy, ...fields };
  if (r.fields['if-none-match'] === '"v1"' || (!r.fields['if-none-match'] && r.fields['if-modified-since'] === all['Last-Modified']))
    return `HTTP/1.1 304 Not Modified\r\n${Object.entries(all).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
  if ((r.fields['if-match'] ?? '"v1"') !== '"v1"') return reply('', {}, '412 Precondition Failed');
  const m = /^bytes=(\d*)-(\d*)$/.exec(r.fields.range ?? '');
  if (/^items=/.test(r.fields.range ?? '')) return reply('items 3 and 4', all, '206 Partial Content');
  if (!m) return /^bytes=.*,/.test(r.fields.range ?? '') ? reply('both', { ...all, 'Content-Type': 'multipart/byteranges; boundary=b' }, '206 Partial Content') : reply(body, all);
  const first = m[1] === '' ? body.length - m[2] : +m[1];
  const last = m[1] === '' || m[2] === '' ? body.length - 1 : +m[2];
  return reply(body.slice(first, last + 1), { ...all, 'Content-Range': `bytes ${first}-${last}/${body.length}` }, '206 Partial Content');
}

const answer = (r) => {
  if (r.target.startsWith('/film')) return file(r, film);
  if (r.target.startsWith('/large')) return file(r, film, { 'Cache-Control': 's-maxage=60' });
  if (r.target.startsWith('/chunked') && !r.fields.range)
    return `HTTP/1.1 200 OK\r\nCache-Control: private\r\nTransfer-Encoding: chunked\r\n\r\n${page.length.toString(16)}\r\n${page}\r\n0\r\n\r\n`;
  return file(r, page);
};
const isHit = (r) => check(/^freshet; hit; ttl=(600|5\d\d)$/.test(r.fields['cache-status']), r.fields['cache-status']); // on a busy machine some are gone
const flags = ['--object-bytes', '4M'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const bytes = async () => (await freshet.gauges()).origin_body_bytes_total;
  // The requests that `what` made, by what of the visitor's they carried.
  const asked = async (what) => {
    const before = origin.requests.length;
    const r = await what();
    await freshet.settle();
    return { r, sent: origin.requests.slice(before).map((q) => ['range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since']
      .filter((n) => q.fields[n] !== undefined).map((n) => `${n}: ${q.fields[n]}`).join(', ') || 'nothing').join('; ') };
  };
  const tail = `bytes=${8 << 20}-`;

  for (const path of ['/film', '/large']) {
    await cases.check(`${path}: the end of it does not cost all that lies before`, async () => {
      const before = await bytes();
      const { r, sent } = await asked(() => ask(path, { Range: tail }));
      equal(`${r.status} ${r.body} ${r.fields['content-range']}`, `206 the end bytes ${8 << 20}-${film.length - 1}/${film.length}`);
      equal(r.fields['cache-status'], 'freshet; fwd=bypass; detail=range');
      equal(sent, `nothing; range: ${tail}`);
      const cost = (await bytes()) - before;
      check(cost < 1 << 20, `${cost} bytes came`);
    });
    await cases.check(`${path}: known from then on`, async () => equal((await asked(() => ask(path, { Range: 'bytes=-3' }))).sent, 'range: bytes=-3'));
    for (let minute = 0; minute < 14; minute++) {
      await freshet.advance('50s');
      await cases.check(`${path}: as long as it is used`, async () => equal((await asked(() => ask(path, { Range: 'bytes=-3' }))).sent, 'range: bytes=-3'));
    }
  }

  await cases.check('several ranges are the origin\'s', async () => {
    const { r, sent } = await asked(() => ask('/film?several', { Range: 'bytes=0-1,5-6' }));
    equal(`${r.status} ${r.body}`, '206 both');
    equal(sent, 'nothing; range: bytes=0-1,5-6');
  });
  await cases.check('so is another unit, and a page whose length is not told', async () => {
    equal((await asked(() => ask('/items', { Range: 'items=3-4' }))).r.body, 'items 3 and 4');
    equal((await asked(() => ask('/chunked', { Range: 'bytes=2-6' }))).r.body, 'small');
  });
  await cases.check('a range that is at hand is cut out', async () => {
    const { r, sent } = await asked(() => ask('/film?near', { Range: 'bytes=100-199' }));
    equal(`${r.status} ${r.body.length} ${r.fields['content-range']} ${sent}`, `206 100 bytes 100-199/${film.length} nothing`);
    const small = await asked(() => ask('/small', { Range: 'bytes=-4' }));
    equal(`${small.r.status} ${small.r.body} ${small.sent}`, '206 page nothing');
  });

  for (const [name, value] of [['If-None-Match', '"v1"'], ['If-Modified-Since', 'Thu, 01 Jan 2015 00:00:00 GMT']]) {
    const field = `${name.toLowerCase()}: ${value}`;
    await cases.check(`${name} that holds reaches the origin`, async () => {
      const { r, sent } = await asked(() => ask(`/${name}`, { [name]: value }));
      equal(`${r.status} ${sent}`, `304 nothing; ${field}`);
    });
    for (let minute = 0; minute < 4; minute++) {
      await freshet.advance('50s');
      await cases.check(`${name}: as long as it is used`, async () => equal((await asked(() => ask(`/${name}`, { [name]: value }))).sent, field));
    }
  }
  await cases.check('a condition that does not hold is answered with what came', async () => {
    const { r, sent } = await asked(() => ask('/changed', { 'If-None-Match': '"v0"' }));
    equal(`${r.status} ${r.body} ${sent}`, '200 a small page nothing');
  });
  await cases.check('If-Match is the origin\'s', async () => {
    const { r, sent } = await asked(() => ask('/match', { 'If-Match': '"v0"' }));
    equal(`${r.status} ${sent}`, '412 nothing; if-match: "v0"');
  });
  await cases.check('so is If-Unmodified-Since', async () =>
    equal((await asked(() => ask('/unmodified', { 'If-Unmodified-Since': 'Thu, 01 Jan 2015 00:00:00 GMT' }))).sent,
      'nothing; if-unmodified-since: Thu, 01 Jan 2015 00:00:00 GMT'));
  await cases.check('with Authorization he is taken at his word', async () =>
    equal((await asked(() => ask('/his', { Range: 'bytes=0-3', Authorization: 'Basic eA==' }))).sent, 'range: bytes=0-3'));
  // What may be stored is stored again, also when visitors ask for parts of it only.
  await ask('/again');
  await ask('/again', { 'If-None-Match': '"v0"' });
  await ask('/parts');
  policy = 's-maxage=600';
  await cases.check('a 206 that permits storing ends it', async () => {
    equal((await asked(() => ask('/parts', { Range: 'bytes=-4' }))).sent, 'range: bytes=-4');
    const { r, sent } = await asked(() => ask('/parts', { Range: 'bytes=-4' }));
    equal(`${r.status} ${r.body} ${r.fields['cache-status']} ${sent}`, '206 page freshet; fwd=uri-miss; stored nothing');
    isHit(await ask('/parts', { Range: 'bytes=0-0' }));
  });
  await cases.check('so does a 304', async () => {
    equal((await asked(() => ask('/again', { 'If-None-Match': '"v1"' }))).sent, 'if-none-match: "v1"');
    const { r, sent } = await asked(() => ask('/again', { 'If-None-Match': '"v1"' }));
    equal(`${r.status} ${sent}`, '304 nothing');
    isHit(await ask('/again'));
  });
});
