// All that goes to an origin goes by HTTP/2 as well, to https:// by ALPN and in clear by prior knowledge: many requests on one connection, pages of any
// length, uploads, events, HEAD, 304, interim heads and trailers. Upgrades, and origins that choose it, get HTTP/1.1.
// hostile h2-08
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import { Frames } from '../h2.mjs';
import { check, equal, gate, request, scenario, soon } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

const secure = process.env.OH_SECURE === '1';
authority('ca');
const long = 'long'.repeat(500_000);
const sessions = new Set();
const seen = []; // {method, target, fields, body, version}
let made = 0, going = gate(), waiting = [];

function page(stream, status, fields, body) {
  if (stream.destroyed) return;
  stream.respond({ ':status': status, 'content-length': Buffer.byteLength(body), ...fields });
  stream.end(body);
}
function answer(stream, h, body) {
  const target = h[':path'], method = h[':method'];
  seen.push({ method, target, fields: h, body, version: '2' });
  const stored = { 'cache-control': 'max-age=600' };
  if (method === 'POST' && target === '/up') return page(stream, 200, { 'cache-control': 'no-store' }, `${body.length} ${body.slice(0, 4)}`);
  if (target === '/long') return page(stream, 200, stored, long);
  if (target === '/unknown') { // no length
    stream.respond({ ':status': 200, ...stored });
    stream.write('with');
    return stream.end('out a length');
  }
  if (target === '/empty') return page(stream, 200, stored, '');
  if (target === '/204') {
    stream.respond({ ':status': 204 }, { endStream: true });
    return undefined;
  }
  if (target === '/tag') {
    if (h['if-none-match'] === '"a"') return stream.respond({ ':status': 304, etag: '"a"', 'cache-control': 'max-age=1' }, { endStream: true });
    return page(stream, 200, { etag: '"a"', 'cache-control': 'max-age=1' }, 'tagged');
  }
  if (target === '/hints') {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>; rel=preload' });
    return page(stream, 200, stored, 'hinted');
  }
  if (target === '/trailers') {
    stream.respond({ ':status': 200, ...stored }, { waitForTrailers: true });
    stream.removeAllListeners('wantTrailers'); // node's own, which has none
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
    return stream.end('with trailers');
  }
  if (target === '/events') {
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    stream.write('data: 1\n\n');
    return going.opened.then(() => stream.end('data: 2\n\n'));
  }
  if (target === '/old-way') return stream.close(http2.constants.NGHTTP2_HTTP_1_1_REQUIRED);
  if (target.startsWith('/wait')) return waiting.push(() => page(stream, 200, { 'cache-control': 'no-store' }, `waited ${target}`));
  if (target.startsWith('/herd')) return waiting.push(() => page(stream, 200, stored, `herd ${target}`));
  return page(stream, 200, { 'cache-control': 'no-store', 'x-version': '2' }, `page ${target}`);
}

const options = { ...(secure ? { ...signed('good', 'ca', ['IP:127.0.0.1']), allowHTTP1: true } : {}) };
const server = secure ? http2.createSecureServer(options) : http2.createServer();
server.on('session', (s) => {
  made++;
  sessions.add(s);
  s.on('close', () => sessions.delete(s));
  s.on('error', () => {});
});
const begun = []; // "METHOD TARGET" of each stream
server.on('stream', (stream, h) => {
  begun.push(`${h[':method']} ${h[':path']}`);
  let body = '';
  stream.on('error', () => {});
  stream.on('data', (d) => (body += d));
  stream.on('end', () => answer(stream, h, body));
});
// HTTP/1.1 comes here, when it is wanted.
server.on('request', (r, res) => {
  if (r.httpVersionMajor === 1) {
    seen.push({ method: r.method, target: r.url, fields: r.headers, version: '1.1' });
    res.end(`old ${r.url}`);
  }
});
server.on('upgrade', (r, s) => {
  seen.push({ method: r.method, target: r.url, fields: r.headers, version: '1.1' });
  s.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello from the origin');
  s.on('data', (d) => s.end(d));
});
await new Promise((r) => server.listen(0, '127.0.0.1', r));
const url = `${secure ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
const yaml = () => `origin: ${url}
origin_http2: ${secure ? 'auto' : 'only'}
${secure ? `origin_ca: ${path.resolve('ca.pem')}` : ''}
workers: 1`;
await scenario({ yaml }, async ({ ask, cases, connect, freshet }) => {
  const last = () => seen.at(-1);
  await cases.check('a page', async () => {
    const r = await ask('/1?a=b', { Cookie: 'a=1', 'X-Own': 'mine', TE: 'trailers' });
    equal(r.status, 200);
    equal(r.body, 'page /1?a=b');
    equal(r.fields['x-version'], '2');
    equal(last().fields[':authority'], 'test');
    equal(last().fields[':scheme'], secure ? 'https' : 'http');
    equal(last().fields.cookie, 'a=1');
    equal(last().fields['x-own'], 'mine');
    check(!('host' in last().fields) && !('connection' in last().fields), 'no fields of connections');
  });
  await cases.check('what would be two requests reaches the origin as one, or not at all', async () => {
    for (const [name, value] of [['X-Two', 'a\rGET /two HTTP/1.1'], ['X-Two', 'a\0b'], ['X Two', 'a']]) equal((await ask('/one', { [name]: value })).status, 400);
    equal((await ask('/one%0d%0aGET%20/two')).status, 400);
    equal((await ask('/one', { ':path': '/two' })).status, 400);
    equal((await ask('/one', { Connection: 'X-Own', 'X-Own': 'mine', 'Keep-Alive': '5', 'Proxy-Connection': 'close' })).status, 200);
    for (const name of ['x-own', 'keep-alive', 'proxy-connection', 'connection']) check(!(name in last().fields), name);
    check(!seen.some((r) => r.target === '/two'), 'one request');
  });
  await cases.check('another on the same connection', async () => {
    equal((await ask('/2')).body, 'page /2');
    equal(made, 1);
  });
  await cases.check('a long page is whole, and stored', async () => {
    equal((await ask('/long')).body === long, true);
    const again = await ask('/long');
    check(again.body === long && /; hit/.test(again.fields['cache-status']), 'a hit');
  });
  await cases.check('without a length, with trailers, empty, 204', async () => {
    equal((await ask('/unknown')).body, 'without a length');
    check(/; hit/.test((await ask('/unknown')).fields['cache-status']), 'stored');
    equal((await ask('/trailers')).body, 'with trailers');
    check(/; hit/.test((await ask('/trailers')).fields['cache-status']), 'stored');
    equal((await ask('/empty')).body, '');
    equal((await ask('/204')).status, 204);
  });
  await cases.check('HEAD', async () => {
    const r = await ask('/head', {}, { method: 'HEAD' });
    equal(r.status, 200);
    equal(last().method, 'HEAD');
    equal(r.fields['content-length'], '10');
  });
  await cases.check('a 304 confirms', async () => {
    equal((await ask('/tag')).body, 'tagged');
    await freshet.advance('2s');
    const r = await ask('/tag');
    equal(r.body, 'tagged');
    equal(last().fields['if-none-match'], '"a"');
  });
  await cases.check('an interim head goes before the answer', async () => {
    const c = connect();
    await c.send(request('/hints'));
    const all = await c.answers(1);
    equal(all.map((r) => r.status).join(), '103,200');
    equal(all[0].fields.link, '</a.css>; rel=preload');
    c.close();
  });
  await cases.check('uploads, of a known length and not', async () => {
    equal((await ask('/up', {}, { method: 'POST', body: 'load'.repeat(200_000) })).body, '800000 load');
    equal(last().fields['content-length'], '800000');
    const c = connect();
    await c.send('POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nload\r\n0\r\n\r\n');
    equal((await c.answers(1))[0].body, '4 load');
    check(!('content-length' in last().fields) && !('transfer-encoding' in last().fields), 'no framing of HTTP/1.1');
    c.close();
    equal((await ask('/up', { 'Content-Length': '0' }, { method: 'POST' })).body, '0 ');
    const e = connect();
    await e.send('POST /up HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n');
    await e.when('100', () => e.text.includes(' 100 '));
    await e.send('load');
    equal((await e.answers(1)).at(-1).body, '4 load');
    e.close();
    equal(made, 1);
  });
  await cases.check('an event stream, as it comes, beside others', async () => {
    const c = connect();
    await c.send(request('/events', { Accept: 'text/event-stream' }));
    await c.when('the first', () => c.text.includes('data: 1'));
    equal((await ask('/3')).body, 'page /3');
    going.open();
    await c.when('the second', () => c.text.includes('data: 2'));
    c.close();
  });
  await cases.check('many at once are on one connection', async () => {
    const all = Array.from({ length: 50 }, (_, i) => ask(`/wait/${i}`));
    await soon(() => waiting.length === 50);
    equal(made, 1);
    for (const go of waiting.splice(0).reverse()) go();
    for (const [i, r] of (await Promise.all(all)).entries()) equal(r.body, `waited /wait/${i}`);
    equal((await freshet.gauges()).origin_connections, 1);
  });
  await cases.check('a herd is one request', async () => {
    const all = Array.from({ length: 20 }, () => ask('/herd'));
    await soon(() => waiting.length === 1);
    await freshet.until('joins_total', '>=', 19);
    for (const go of waiting.splice(0)) go();
    for (const r of await Promise.all(all)) equal(r.body, 'herd /herd');
    equal(seen.filter((r) => r.target === '/herd').length, 1);
  });
  await cases.check('a visitor who reads nothing holds himself alone', async () => {
    const c = connect();
    c.socket.pause();
    await c.send(request('/long?nobody', { 'Cache-Control': 'no-cache' }));
    const d = connect();
    await d.send(request('/long', {}, { method: 'GET' }));
    await soon(() => seen.some((r) => r.target === '/long?nobody'));
    for (let i = 0; i < 5; i++) equal((await ask(`/beside/${i}`)).body, `page /beside/${i}`);
    equal(made, 1);
    c.close();
    d.close();
    await freshet.settle();
  });
  await cases.check('who leaves ends his stream, and no other', async () => {
    const c = connect();
    await c.send(request('/wait/gone', {}, { method: 'POST', body: 'x' }));
    await soon(() => waiting.length === 1);
    c.close();
    await freshet.settle();
    waiting.length = 0;
    equal((await ask('/4')).body, 'page /4');
    equal(made, 1);
  });
  if (secure)
    await cases.check('what the origin wants by HTTP/1.1 goes by it', async () => equal((await ask('/old-way')).body, 'old /old-way'));
  if (secure)
    await cases.check('an upgrade goes by HTTP/1.1', async () => {
      const c = connect();
      await c.send('GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      await c.when('the tunnel', () => c.text.includes('hello from the origin'));
      equal(last().version, '1.1');
      await c.send('ping');
      await c.when('back', () => c.text.includes('ping'));
      c.close();
      await freshet.settle();
    });
  await cases.check('GOAWAY amid requests: those under way end well, others get a new connection', async () => {
    const before = made;
    const a = ask('/wait/a');
    await soon(() => waiting.length === 1);
    for (const s of sessions) s.goaway(0, 2 ** 31 - 1);
    await soon(async () => (await freshet.gauges()).origin_connections_open >= 1);
    equal((await ask('/5')).body, 'page /5');
    equal(made, before + 1);
    waiting.splice(0)[0]();
    equal((await a).body, 'waited /wait/a');
  });
  await cases.check('a connection that breaks: what can be sent again is', async () => {
    equal((await ask('/6')).body, 'page /6');
    const a = ask('/wait/again');
    await soon(() => waiting.length === 1);
    waiting.length = 0;
    for (const s of sessions) s.destroy();
    await soon(() => waiting.length === 1);
    waiting.splice(0)[0]();
    equal((await a).body, 'waited /wait/again');
    const c = connect();
    await c.send('POST /wait HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nl');
    await soon(() => begun.includes('POST /wait')); // before it was there it would be sent again
    for (const s of sessions) s.destroy();
    equal((await c.answers(1))[0].status, 502);
    equal(begun.filter((r) => r === 'POST /wait').length, 1);
    c.close();
  });
  await cases.check('an idle connection ends in time, and the next request makes one', async () => {
    equal((await ask('/7')).body, 'page /7');
    await freshet.advance('40s');
    await freshet.until('origin_connections', '==', 0);
    equal((await ask('/8')).body, 'page /8');
  });
});
