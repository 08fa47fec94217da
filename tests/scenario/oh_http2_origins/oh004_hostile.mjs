// What an origin may say by HTTP/2 that breaks its rules, or costs more than it should: the answer is cut and never stored as whole, a flood ends the
// connection, what the origin says it has not done is asked again, and other requests go on.
// scenarios F16; hostile h2-09, h2-10, h2-11, h2-12, h2-14
import { createHash } from 'node:crypto';
import net from 'node:net';
import { answer_data as data, answer_head as head, block, client_frames, frame, number, ping, reset, settings, type, unblock, window_update } from '../h2.mjs';
import { check, equal, request, scenario, soon } from '../lib.mjs';

const hash = (text) => `${text.length} ${createHash('sha256').update(text).digest('hex')}`;
const stored = [['cache-control', 'max-age=600']];
const goaway = (last, code = 0) => frame(type.GOAWAY, 0, 0, Buffer.from([0, 0, 0, last, 0, 0, 0, code]));
const good = (id, text = 'good', fields = []) => [head(id, [...fields, ['content-length', String(text.length)]]), data(id, text)];
const many = (n, of) => Buffer.concat(Array.from({ length: n }, (_, i) => of(i)));

// What happens with a request for /NAME. Returns bytes.
const seen = [];
const attacks = {
  // One answer that is wrong: only that one fails.
  'no-status': (id) => frame(type.HEADERS, 5, id, block([['x', 'y']])),
  'odd-status': (id) => head(id, [], true, '099'),
  'status-600': (id) => head(id, [], true, '600'),
  'status-101': (id) => head(id, [], false, '101'),
  'status-twice': (id) => frame(type.HEADERS, 5, id, block([[':status', '200'], [':status', '200']])),
  'request-field': (id) => frame(type.HEADERS, 5, id, block([[':status', '200'], [':path', '/']])),
  'upper-case': (id) => head(id, [['X-Upper', '1']], true),
  'connection': (id) => head(id, [['connection', 'close']], true),
  'transfer-encoding': (id) => head(id, [['transfer-encoding', 'chunked']], true),
  'line-feed': (id) => head(id, [['x', 'a\nb']], true),
  'space-before': (id) => head(id, [...stored, ['x-padded', ' a']], true),
  'space-behind': (id) => head(id, [...stored, ['x-padded', 'a ']], true),
  'tab-behind': (id) => head(id, [...stored, ['x-padded', 'a\t']], true),
  'only-space': (id) => head(id, [...stored, ['x-padded', ' ']], true),
  'space-in-trailer': (id) => [head(id, stored), data(id, 'x', false), frame(type.HEADERS, 5, id, block([['x-padded', 'a ']]))],
  'lengths': (id) => head(id, [['content-length', '1'], ['content-length', '2']]),
  'data-first': (id) => data(id, 'x'),
  'early-end': (id) => head(id, [...stored, ['content-length', '10']], true),
  'too-short': (id) => [head(id, [...stored, ['content-length', '10']]), data(id, 'short')],
  'too-long': (id) => [head(id, [...stored, ['content-length', '3']]), data(id, 'longer')],
  'interim-end': (id) => head(id, [], true, '103'),
  'pseudo-trailer': (id) => [head(id, stored), data(id, 'x', false), frame(type.HEADERS, 5, id, block([[':status', '200']]))],
  'second-head': (id) => [head(id, stored), head(id, stored)],
  'reset-head': (id) => reset(id, 2),
  'reset-body': (id) => [head(id, stored), data(id, 'half', false), reset(id, 0)],
  'large-head': (id) => head(id, [['x-large', 'l'.repeat(15000)], ...Array.from({ length: 50 }, (_, i) => [`x-${i}`, '1'])], true),
  'many-fields': (id) => head(id, Array.from({ length: 400 }, (_, i) => [`x-${i}`, '1']), true),
  'many-interims': (id) => many(65, () => head(id, [], false, '103')),
};
const fatal = {
  'push': (id) => frame(type.PUSH_PROMISE, 4, id, Buffer.concat([number(2, 4), block([[':method', 'GET']])])),
  'settings-push': () => settings({ 2: 1 }),
  'even-stream': () => head(2, [], true),
  'idle-stream': () => head(999, [], true),
  'window-overflow': () => window_update(0, 0x7fffffff),
  'window-zero': () => window_update(0, 0),
  'continuation': () => frame(type.CONTINUATION, 4, 1, ''),
  'interrupted': (id) => [frame(type.HEADERS, 0, id, block([[':status', '200']])), ping()],
  'long-frame': (id) => Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, id]),
  'bad-hpack': (id) => frame(type.HEADERS, 5, id, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
  'priority-update': (id) => frame(type.PRIORITY_UPDATE, 0, 0, Buffer.concat([number(id, 4), Buffer.from('u=1')])),
  'goaway-back': (id) => [goaway(id), goaway(id + 10)],
  'continuations': (id) => [frame(type.HEADERS, 0, id, block([[':status', '200']])), many(5000, () => frame(type.CONTINUATION, 0, id, block([['x', 'y']])))],
  'pings': () => many(20000, () => ping()),
  'settings-flood': () => many(500, () => settings({})),
  'empty-data': (id) => [head(id), many(5000, () => data(id, '', false))],
  'bomb': (id) => frame(type.HEADERS, 5, id, Buffer.concat([Buffer.from([0x88, 0x40, 1, 0x62, 0x7f, 0xf1, 0x1e]), Buffer.alloc(4000, 0x61), Buffer.alloc(12000, 0xbe)])),
};
let connections = 0, refused = 0, left = 0, posts = 0;
const live = new Set();
const server = net.createServer({ noDelay: true }, (s) => {
  const me = { n: ++connections }, uploads = new Map();
  live.add(s);
  s.on('error', () => {});
  s.on('close', () => live.delete(s));
  const send = (bytes) => [bytes].flat().forEach((b) => b && !s.destroyed && s.write(b));
  send(settings({ 3: 100 }));
  client_frames(s, (kind, flags, id, payload) => {
    if (kind === type.SETTINGS && !(flags & 1)) send(settings({}, 1));
    if (kind === type.PING && !(flags & 1)) send(ping(true));
    const u = uploads.get(id);
    if (kind === type.DATA && u) {
      u.text += payload.toString('latin1');
      if (u.text.length >= u.refused_at) return uploads.delete(id), send(reset(id, 7)); // what still comes of it is dropped
      if (payload.length) send([window_update(0, payload.length), window_update(id, payload.length)]);
      if (flags & 1) send(good(id, hash(u.text)));
    }
    if (kind !== type.HEADERS) return;
    const fields = Object.fromEntries(unblock(payload)), name = fields[':path'].split('?')[0].slice(1);
    seen.push({ id, name, method: fields[':method'], connection: me.n });
    if (name in attacks) send(attacks[name](id));
    else if (name in fatal) send(fatal[name](id));
    else if (name === 'refused') send(refused++ === 0 ? reset(id, 7) : good(id));
    else if (name === 'refused-at') uploads.set(id, { text: '', refused_at: refused++ === 0 ? +fields[':path'].split('?')[1] : Infinity });
    else if (name === 'left-upload') left++ === 0 ? send(goaway(id - 2)) : uploads.set(id, { text: '', refused_at: Infinity });
    else if (name === 'http11') send(reset(id, 13));
    else if (name === 'left') send(left++ === 0 ? goaway(id - 2) : good(id));
    else if (name === 'never') send(reset(id, 7));
    else if (name === 'flood') send([head(id, [['cache-control', 'no-store']]), many(200, () => data(id, 'x'.repeat(16384), false))]);
    else if (name === 'post') send(posts++ === 0 ? reset(id, 2) : good(id));
    else send(good(id, `page ${name}`, name === 'page' ? [['cache-control', 'no-store']] : stored));
  });
});
await new Promise((r) => server.listen(0, '127.0.0.1', r));
const yaml = () => `origin: http://127.0.0.1:${server.address().port}\norigin_http2: only\nworkers: 1\nresponse_header_bytes: 16K\nfirst_byte_timeout: 20s`;

await scenario({ yaml }, async ({ ask, cases, connect, freshet }) => {
  const page = async () => equal((await ask('/page')).body, 'page page');
  await cases.check('a page', page);
  for (const name of Object.keys(attacks))
    await cases.check(name, async () => {
      const c = connect();
      await c.send(request(`/${name}`));
      await c.when('an end', () => c.ended || c.responses().some((r) => r.status >= 200 && !r.cut));
      const r = c.responses().at(-1);
      check(r === undefined || r.cut || r.status === 502, `it ends with ${r?.status} ${r?.body}`);
      c.close();
      await freshet.settle();
      await page();
      const again = await ask(`/${name}`, { 'Cache-Control': 'only-if-cached' }).catch(() => null);
      check(!again || !/; hit/.test(again.fields['cache-status'] ?? ''), 'nothing of it is stored');
    });
  await cases.check('none of these ended the connection', () => check(connections <= 2, `${connections} connections`));
  for (const name of Object.keys(fatal))
    await cases.check(name, async () => {
      const before = (await freshet.gauges()).origin_http2_errors_total;
      const r = connect();
      await r.send(request(`/${name}`));
      await freshet.until('origin_http2_errors_total', '>', before);
      await r.when('an end', () => r.ended || r.responses().some((x) => x.status >= 200 && !x.cut));
      r.close();
      await freshet.settle();
      await page();
    });
  await freshet.saying('breaks the rules of HTTP/2');
  await cases.check('the log says which field is wrong, and how', async () => {
    for (const [name, says] of [['space-behind', 'white space around a field value: x-padded; that answer is lost'],
      ['space-in-trailer', 'white space around a field value: x-padded; that answer is lost'], ['upper-case', 'a field name in upper case: X-Upper; that'],
      ['connection', 'a field of HTTP/1.1 connections: connection; that'], ['line-feed', 'a control character in a field value: x; that'],
      ['no-status', 'no :status, or a malformed one; that']]) {
      const before = freshet.log().split(says).length;
      await freshet.advance('11s'); // one line in ten seconds
      await ask(`/${name}`).catch(() => {});
      await soon(() => freshet.log().split(says).length > before);
    }
  });
  await cases.check('what was refused is asked again, on another connection', async () => {
    equal((await ask('/refused')).body, 'good');
    equal(refused, 2);
  });
  await cases.check('a POST that was refused is sent again, since the origin did nothing with it', async () => {
    refused = 0;
    equal((await ask('/refused', { 'Content-Length': 0 }, { method: 'POST' })).status, 200);
    equal(refused, 2);
  });
  // The ring that an upload goes through still has the bytes of a short one.
  for (const [name, at, size] of [['of one byte', 1, 1], ['that has come in part', 20_000, 40_000], ['that fills the ring', 65_536, 65_536]])
    await cases.check(`also a POST with a body ${name}`, async () => {
      refused = 0;
      const body = 'abcdefgh'.repeat(size / 8 + 1).slice(0, size);
      const r = await ask(`/refused-at?${at}`, {}, { method: 'POST', body });
      equal(r.status, 200);
      equal(r.body, hash(body), 'what the origin got');
      equal(refused, 2);
    });
  await cases.check('but not when its body has gone', async () => {
    refused = 0;
    equal((await ask('/refused-at?90000', {}, { method: 'POST', body: 'x'.repeat(100_000) })).status, 502);
    equal(refused, 1);
  });
  await cases.check('more than a window permits, for a visitor who reads nothing: that one is cut', async () => {
    const c = connect();
    c.socket.pause();
    await c.send(request('/flood'));
    await freshet.saying('GET test/flood: the origin.s answer is malformed: a message that breaks');
    c.close();
    await freshet.settle();
    await page();
  });
  await cases.check('what a GOAWAY leaves behind is asked again', async () => {
    equal((await ask('/left')).body, 'good');
    equal(left, 2);
  });
  await cases.check('a POST with a body too', async () => {
    left = 0;
    equal((await ask('/left-upload', {}, { method: 'POST', body: 'some text' })).body, hash('some text'));
    equal(left, 2);
  });
  await cases.check('a POST that reached the origin is not', async () => {
    equal((await ask('/post', {}, { method: 'POST', body: 'x' })).status, 502);
    equal(posts, 1);
  });
  await cases.check('refused without an end: one more try', async () => {
    const before = seen.filter((r) => r.name === 'never').length;
    equal((await ask('/never')).status, 502);
    equal(seen.filter((r) => r.name === 'never').length, before + 2);
  });
  await cases.check('a silent connection is asked for a sign of life, and given up', async () => {
    await page();
    for (const s of live) s.pause();
    await freshet.advance('12s');
    const before = connections, r = ask('/page');
    await freshet.until('fetches', '==', 1);
    await freshet.advance('16s');
    await soon(() => connections > before);
    equal((await r).body, 'page page');
    for (const s of live) s.resume();
    await freshet.saying('an HTTP/2 connection gives no sign of life');
  });
});
