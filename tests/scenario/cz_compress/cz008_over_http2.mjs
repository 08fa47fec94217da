// Over HTTP/2 a page that comes in pieces is compressed as it comes too: many streams of one connection share an encoder, one that is reset
// leaves the others, and a page that its origin cuts is a stream that is reset.
// CACHING.md 6.10
import http2 from 'node:http2';
import net from 'node:net';
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib';
import { check, equal, gate, hangup, scenario, soon } from '../lib.mjs';

const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
const shell = 'the shell of it; '.repeat(50);
const content = Array.from({ length: 3000 }, (_, i) => `line ${i * i} of it\n`).join('');
const gates = {};
const gate_of = (target) => (gates[target] ??= gate());
const answer = (r) => [gate_of(`${r.target} head`).opened.then(() => 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n'), chunk(shell),
  gate_of(r.target).opened.then(() => (r.target === '/cut' ? hangup : `${chunk(content)}0\r\n\r\n`))];
const so_far = { br: (b) => brotliDecompressSync(b, { finishFlush: constants.BROTLI_OPERATION_FLUSH }), gzip: (b) => gunzipSync(b, { finishFlush: constants.Z_SYNC_FLUSH }) };
const whole = { br: brotliDecompressSync, gzip: gunzipSync };

await scenario({ answer, flags: ['--http2-clear'] }, async ({ cases, freshet, origin }) => {
  const session = http2.connect('http://test', { createConnection: () => net.connect('front') });
  session.on('error', () => {});
  const get = (path, offer) => {
    const stream = session.request({ ':path': path, 'accept-encoding': offer });
    const one = { stream, offer, pieces: [], ended: false, failed: false };
    stream.on('response', (f) => (one.coding = f['content-encoding']));
    stream.on('data', (d) => one.pieces.push(d));
    stream.on('end', () => (one.ended = true));
    stream.on('error', () => (one.failed = true));
    one.has = (text) => one.coding !== undefined && so_far[one.coding](Buffer.concat(one.pieces)).toString() === text;
    return one;
  };
  const made = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).codings.made;

  const herd = ['br', 'gzip', 'gzip, deflate, br', 'br', 'gzip'].map((offer) => get('/herd', offer));
  await freshet.until('requests', '==', herd.length);
  gate_of('/herd head').open();
  for (const one of herd) await cases.check(`the first piece for ${one.offer}`, () => soon(() => one.has(shell)));
  herd[0].stream.close(http2.constants.NGHTTP2_CANCEL);
  gate_of('/herd').open();
  for (const one of herd.slice(1)) {
    await cases.check(`all of it for ${one.offer}`, async () => {
      await soon(() => one.ended);
      equal(whole[one.coding](Buffer.concat(one.pieces)).toString(), shell + content);
    });
  }
  await freshet.until('coding_now', '==', 0);
  await cases.check('one render, two encoders', async () => equal(`${origin.requests.length} ${await made()}`, '1 2'));

  gate_of('/cut head').open();
  const cut = get('/cut', 'br');
  await soon(() => cut.has(shell));
  gate_of('/cut').open();
  await cases.check('a cut page is a reset stream', async () => {
    await soon(() => cut.failed || cut.stream.closed);
    check(cut.failed && cut.stream.rstCode !== 0, `${cut.failed} ${cut.stream.rstCode}`);
  });
  session.destroy();
});
