// A page that comes in pieces is compressed as it comes, flushed where the origin waits, with one encoder for all who wait for it, and what
// that made is the stored coding. A cut page stays cut; parts, heads and what is not stored are not compressed; events neither.
// CACHING.md 6.10; scenarios D9
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib';
import { check, equal, gate, hangup, reply, scenario } from '../lib.mjs';

const html = { 'Content-Type': 'text/html', 'Cache-Control': 'max-age=60', 'Cache-Tag': 't', ETag: '"abc"' };
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
  const pieces = all(path, head, later);
  return [gate_of(`${r.target} head`).opened.then(() => pieces[0]), ...pieces.slice(1)];
};
const all = (path, head, later) => {
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
    case '/long': return [reply(long, html)];
    case '/small': return [reply(content, html)];
    case '/long-chunks': return [head(), ...long.match(/[^]{1,65536}/g).map(chunk), '0\r\n\r\n'];
    default: return [head(), chunk(shell), later(end)];
  }
};
const browser = 'gzip, deflate, br';

await scenario({ answer, flags: ['--workers', '2', '--memory', '64M'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const begin = async (target, offer = browser, more = '') => {
    const c = connect();
    await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n${offer ? `Accept-Encoding: ${offer}\r\n` : ''}${more}\r\n`);
    return c;
  };
  const shows = (c, text, what) => c.when(what, () => so_far(c.responses()[0]) === text);
  const figures = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).codings;
  const asked = (target) => origin.requests.filter((r) => r.target === target).length;
  const whole_of = (c) => c.answers(1).then(([r]) => (c.close(), r));

  // Those who came before the head, of two workers, and what they take.
  const offers = [browser, 'gzip, deflate, br, zstd', 'br', 'gzip', 'gzip', '', 'identity', 'br;q=0.5, gzip', 'br', browser];
  const takes = (offer) => (offer.includes(';q') || offer === 'gzip' ? 'gzip' : offer.includes('br') ? 'br' : undefined);
  for (const target of ['/page', '/close', '/trailers', '/herd']) {
    const of = target === '/herd' ? offers : [browser];
    const before = (await figures()).made;
    const herd = [];
    for (const offer of of) herd.push([offer, await begin(target, offer)]);
    await freshet.until('requests', '==', herd.length);
    gate_of(`${target} head`).open();
    for (const [offer, c] of herd) await cases.check(`${target}: the first piece for ${offer}`, () => shows(c, shell, 'the first piece'));
    if (target === '/herd') {
      herd.push([browser, await begin(target, browser)], ['gzip', await begin(target, 'gzip')], ['', await begin(target, '')]);
      for (const [, c] of herd.slice(-3)) await cases.check('who comes later has what is there', () => shows(c, shell, 'the first piece'));
    }
    gate_of(target).open();
    for (const [offer, c] of herd) {
      const r = await whole_of(c);
      await cases.check(`${target}: all of it for ${offer}`, () => equal(whole(r), shell + content));
      await cases.check(`in a coding that ${offer} takes`, () => equal(r.fields['content-encoding'], takes(offer)));
      await cases.check('it varies', () => check(/accept-encoding/i.test(r.fields.vary), r.head));
      if (takes(offer)) {
        await cases.check('a weak ETag: nobody makes these bytes again', () => equal(r.fields.etag, `W/"abc~${takes(offer)}${takes(offer) === 'br' ? 5 : 6}"`));
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

  // What is not compressed as it comes: it may not be stored, or is of another type, or a part or the head is asked for.
  for (const [target, more] of [['/private', ''], ['/events', ''], ['/png', ''], ['/part', 'Range: bytes=0-9\r\n']]) {
    const c = await begin(target, browser, more);
    gate_of(`${target} head`).open();
    gate_of(target).open();
    const r = await whole_of(c);
    await cases.check(`${target} is plain`, () => equal(r.fields['content-encoding'], undefined));
  }
  await cases.check('a HEAD', async () => {
    gate_of('/head head').open();
    gate_of('/head').open();
    equal((await ask('/head', { 'Accept-Encoding': browser }, { method: 'HEAD' })).status, 200);
  });

  // What its origin cuts is cut, and not stored: the coding has no end.
  for (const offer of [browser, 'gzip', '']) {
    const target = `/cut?${offer.length}`;
    gate_of(`${target} head`).open();
    const c = await begin(target, offer);
    await shows(c, shell, 'the first piece');
    gate_of(target).open();
    await c.closed();
    const [r] = c.responses();
    await cases.check(`${target} is cut`, () => check(r.cut && r.fields['content-encoding'] === takes(offer), r.head));
    await cases.check('without an end of the coding', () => {
      if (!offer) return;
      let ends = true;
      try {
        whole(r);
      } catch {
        ends = false;
      }
      check(!ends, 'it ends');
    });
    c.close();
    await freshet.settle();
    await freshet.until('coding_now', '==', 0);
  }

  // With a length it is no stream: the first visitor gets the plain bytes as they come, wherever the origin stalls; the coding that is made of the whole has a
  // strong tag.
  for (const target of ['/length', '/long', '/long-chunks', '/small']) {
    gate_of(`${target} head`).open();
    const c = await begin(target);
    if (target === '/length') await cases.check('what is there is sent', () => shows(c, shell, 'the first piece'));
    gate_of(target).open();
    for (const turn of ['miss', 'hit']) {
      const r = turn === 'miss' ? await whole_of(c) : await ask(target, { 'Accept-Encoding': browser });
      // Where all of it came at once its coding may be there before the first visitor is answered.
      const early = target !== '/length' && turn === 'miss' && r.fields['content-encoding'] === 'br' && r.fields.etag === '"abc~br5"';
      const is = turn === 'hit' || target === '/long-chunks' || early ? 'br' : undefined;
      await cases.check(`${target}: a ${turn} comes in ${is ?? 'no coding'}`, () => equal(r.fields['content-encoding'], is));
      await cases.check('and whole', () => equal(whole(r), target.startsWith('/long') ? long : target === '/small' ? content : shell + content));
      if (target !== '/long-chunks') await cases.check('a strong ETag', () => equal(r.fields.etag, is ? '"abc~br5"' : '"abc"'));
      await freshet.until('coding_now', '==', 0);
    }
  }
  await cases.check('too short to be kept in a coding', async () => {
    gate_of('/short head').open();
    gate_of('/short').open();
    equal(whole(await ask('/short', { 'Accept-Encoding': browser })), 'few words');
    equal((await ask('/short', { 'Accept-Encoding': browser })).fields['content-encoding'], undefined);
  });
  // Whoever goes amid costs the others nothing, and the page is stored with its coding all the same; a purge amid leaves nothing behind.
  for (const how of ['gone', 'purged']) {
    const target = `/${how}`;
    gate_of(`${target} head`).open();
    const one = await begin(target), two = await begin(target);
    await shows(one, shell, 'the first piece');
    await shows(two, shell, 'the first piece');
    one.close();
    if (how === 'gone') two.close();
    if (how === 'gone') await freshet.until('requests_open', '==', 0);
    if (how === 'purged') equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["t"]}')).status, 202);
    gate_of(target).open();
    if (how === 'purged') await cases.check('all of it', async () => equal(whole(await whole_of(two)), shell + content));
    await freshet.settle();
    await freshet.until('coding_now', '==', 0);
    const r = await ask(target, { 'Accept-Encoding': browser });
    await cases.check(`${how}: ${asked(target)} renders`, () => equal(`${asked(target)} ${r.fields['content-encoding']} ${/; hit/.test(r.fields['cache-status'])}`, how === 'gone' ? '1 br true' : '2 br false'));
    await cases.check('and all of it', () => equal(whole(r), shell + content));
  }
});
