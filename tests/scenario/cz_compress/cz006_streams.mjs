// A page that comes in pieces is compressed as it comes, flushed where the origin waits, with one encoder for all who wait for it, and what
// that made is the stored coding. A cut page stays cut; parts, heads and what is not stored are not compressed; events neither.
// CACHING.md 6.10
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib';
import { check, equal, gate, hangup, reply, scenario } from '../lib.mjs';

const html = { 'Content-Type': 'text/html', 'Cache-Control': 'max-age=60', ETag: '"abc"' };
const lines = (fields) => Object.entries(fields).map(([k, v]) => `${k}: ${v}\r\n`).join('');
let x = 7;
const words = (n, what) => Array.from({ length: n }, () => `${what} ${(x = (x * 1103515245 + 12345) % 2 ** 31) >> 16}, and more of it; `).join('');
const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
const bytes = (s) => Buffer.from(s, 'latin1');
// What is there of it, whole or not.
const so_far = (r) => {
  if (!r?.body) return '';
  const b = bytes(r.body);
  return ({ br: () => brotliDecompressSync(b, { finishFlush: constants.BROTLI_OPERATION_FLUSH }), gzip: () => gunzipSync(b, { finishFlush: constants.Z_SYNC_FLUSH }) }[r.fields['content-encoding']] ?? (() => b))().toString('latin1');
};
const whole = (r) => ({ br: brotliDecompressSync, gzip: gunzipSync }[r.fields['content-encoding']] ?? ((b) => b))(bytes(r.body)).toString('latin1');

const shell = words(40, 'shell'), content = words(900, 'content'), long = words(60000, 'long');
const gates = {};
const gate_of = (target) => (gates[target] ??= gate());
const answer = (r) => {
  const path = r.target.split('?')[0];
  const head = (fields = {}) => `HTTP/1.1 200 OK\r\n${lines({ ...html, ...fields, 'Transfer-Encoding': 'chunked' })}\r\n`;
  const later = (s) => gate_of(r.target).opened.then(() => s);
  const end = `${chunk(content)}0\r\n\r\n`;
  switch (path) {
    case '/cut': return [head(), chunk(shell), later(hangup)];
    case '/private': return [head({ 'Cache-Control': 'private' }), chunk(shell), later(end)];
    case '/events': return [head({ 'Content-Type': 'text/event-stream' }), chunk('data: 1\n\n'.repeat(99)), later(end)];
    case '/png': return [head({ 'Content-Type': 'image/png' }), chunk(shell), later(end)];
    case '/length': return [`HTTP/1.1 200 OK\r\n${lines({ ...html, 'Content-Length': shell.length + content.length })}\r\n${shell}`, later(content)];
    case '/close': return [`HTTP/1.1 200 OK\r\n${lines(html)}\r\n${shell}`, later(content), later(hangup)];
    case '/short': return [head(), chunk('few words'), later('0\r\n\r\n')];
    case '/trailers': return [head(), chunk(shell), later(`${chunk(content)}0\r\nX-Digest: x\r\n\r\n`)];
    case '/long': return reply(long, html);
    case '/long-chunks': return [head(), ...long.match(/[^]{1,65536}/g).map(chunk), '0\r\n\r\n'];
    default: return [head(), chunk(shell), later(end)];
  }
};
const browser = 'gzip, deflate, br';

await scenario({ answer, flags: ['--workers', '2', '--memory', '64M'] }, async ({ ask, cases, connect, freshet, origin }) => {
  let began = 0;
  const begin = async (target, offer = browser, more = '') => {
    const c = connect();
    began++;
    await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n${offer ? `Accept-Encoding: ${offer}\r\n` : ''}${more}\r\n`);
    return c;
  };
  const shows = (c, text, what) => c.when(what, () => so_far(c.responses()[0]) === text);
  const figures = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).codings;
  const asked = (target) => origin.requests.filter((r) => r.target === target).length;
  const whole_of = (c) => c.answers(1).then(([r]) => (c.close(), r));

  for (const target of ['/page', '/close', '/trailers', '/herd']) {
    const offers = target === '/herd' ? [browser, 'gzip, deflate, br, zstd', 'br', 'gzip', 'gzip', '', 'br'] : [browser, 'gzip'];
    const before = (await figures()).made;
    const first = await begin(target, offers[0]);
    await shows(first, shell, `${target}: the first piece`);
    const herd = [[offers[0], first]];
    for (const offer of offers.slice(1)) herd.push([offer, await begin(target, offer)]);
    for (const [offer, c] of herd) await cases.check(`${target}: the first piece for ${offer}`, () => shows(c, shell, 'the first piece'));
    gate_of(target).open();
    for (const [offer, c] of herd) {
      const r = await whole_of(c);
      await cases.check(`${target}: all of it for ${offer}`, () => equal(whole(r), shell + content));
      await cases.check('in a coding that he takes', () => equal(r.fields['content-encoding'], offer.includes('br') ? 'br' : undefined));
      await cases.check('it varies', () => check(/accept-encoding/i.test(r.fields.vary), r.head));
      if (offer.includes('br')) {
        await cases.check('a weak ETag: nobody makes these bytes again', () => equal(r.fields.etag, 'W/"abc~br5"'));
        await cases.check('no length', () => equal(r.fields['content-length'], undefined));
      }
    }
    await freshet.until('coding_now', '==', 0);
    await cases.check(`${target}: one render, and one encoder of a coding`, async () => equal(`${asked(target)} ${(await figures()).made - before}`, target === '/herd' ? '1 2' : '1 1'));
    const hit = await ask(target, { 'Accept-Encoding': browser });
    await cases.check(`${target}: stored`, () => equal(`${hit.fields['content-encoding']} ${hit.fields.etag} ${/; hit/.test(hit.fields['cache-status'])}`, 'br W/"abc~br5" true'));
    await cases.check('with a length', () => equal(+hit.fields['content-length'], hit.body.length));
    await cases.check('and whole', () => equal(whole(hit), shell + content));
    await cases.check('confirmed by its tag', async () => equal((await ask(target, { 'Accept-Encoding': browser, 'If-None-Match': hit.fields.etag })).status, 304));
  }
});
