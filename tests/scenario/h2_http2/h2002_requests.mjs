// Over HTTP/2, with TLS and without, requests and answers are what they are over HTTP/1.1: one store, fields, HEAD, ranges, conditions,
// large heads and bodies, uploads, interim answers; each request a stream of one connection.
// scenarios C13, E7, J5; hostile h2-06
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { address, certificate } from '../tls.mjs';

const big = Array.from({ length: 20_000 }, (_, i) => `line ${i} of a large page, which has many frames\n`).join('');
const stored = { 'Cache-Control': 'max-age=600' };
const answer = (r) => {
  if (r.method === 'POST' || r.method === 'PUT') return reply(`got ${r.body.length} ${/^x*$/.test(r.body)}`);
  if (r.target === '/big') return reply(big, { ...stored, ETag: '"big"' });
  if (r.target === '/heads') return reply('heads', { ...stored, 'X-Large': 'v'.repeat(30_000), 'Set-Cookie': 'a=1', 'X-UPPER': 'Kept As It Is', Link: '</a>; rel=preload' });
  if (r.target === '/stream') return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\n${'5\r\nabcde\r\n'.repeat(2000)}0\r\nX-Trailer: 1\r\n\r\n`;
  if (r.target === '/early') return `HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n${reply('late')}`;
  if (r.target === '/none') return 'HTTP/1.1 204 No Content\r\n\r\n';
  if (r.target === '/cut') return ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'];
  if (r.target === '/426') return reply('', { Upgrade: 'TLS/1.0', Connection: 'Upgrade' }, '426 Upgrade Required');
  return reply(`${r.method} ${r.fields.host} ${r.fields.via} ${r.fields.cookie ?? ''}`, stored);
};
const flags = ['--https', address, '--http2-clear', '--request-body', '16M', ...certificate('test', ['test', 'other.test'])];
await scenario({ answer, flags }, async ({ ask, cases, connect, freshet, origin }) => {
  const sessions = [];
  const open = (how) => {
    const s = how === 'tls' ? http2.connect('https://test', { createConnection: () => tls.connect({ path: 'https', servername: 'test', ALPNProtocols: ['h2'], rejectUnauthorized: false }) })
      : http2.connect('http://test', { createConnection: () => net.connect('front') });
    s.on('error', () => {});
    sessions.push(s);
    return s;
  };
  const get = (s, path, fields = {}, body, then) => new Promise((resolve, reject) => {
    const r = s.request({ ':path': path, ...(body !== undefined ? { ':method': 'POST' } : {}), ...fields }, { endStream: body === undefined });
    const out = { interim: [], body: '' };
    r.setEncoding('latin1');
    r.on('response', (f) => Object.assign(out, { fields: f, status: f[':status'] }));
    r.on('headers', (f) => out.interim.push(f));
    r.on('trailers', (f) => (out.trailers = f));
    r.on('data', (d) => {
      out.body += d;
      then?.();
    });
    r.on('end', () => resolve(out));
    r.on('error', (e) => (out.status ? resolve({ ...out, error: e.code }) : reject(e)));
    if (body !== undefined) r.end(body);
  });
  for (const how of ['tls', 'clear']) {
    const s = open(how);
    const name = (text) => `${how}: ${text}`;
    const before = (await freshet.gauges()).origin_requests;
    await cases.check(name('a miss, then a hit, the same page that HTTP/1.1 has'), async () => {
      const first = await get(s, '/page');
      equal(first.body, `GET test 2 ${/2 (\S+)/.exec(first.body)[1]} `);
      check(/hit/.test((await get(s, '/page')).fields['cache-status']), 'a hit');
      if (how === 'clear') check(/hit/.test((await ask('/page')).fields['cache-status']), 'a hit over HTTP/1.1');
      equal((await freshet.gauges()).origin_requests, before + 1);
    });
    await cases.check(name('HEAD, 204 and 304'), async () => {
      const head = await get(s, '/page', { ':method': 'HEAD' });
      equal(head.body, '');
      check(+head.fields['content-length'] > 0, 'its length');
      equal((await get(s, '/none')).status, 204);
      await get(s, '/big');
      equal((await get(s, '/big', { 'if-none-match': '"big"' })).status, 304);
    });
    await cases.check(name('a large body, and ranges of it'), async () => {
      const r = await get(s, '/big');
      check(r.body === big, `the bytes: ${r.body.length} of ${big.length}`);
      equal(+r.fields['content-length'], big.length);
      const part = await get(s, '/big', { range: 'bytes=100000-199999' });
      equal(part.status, 206);
      check(part.body === big.slice(100_000, 200_000), 'the range');
      const parts = await get(s, '/big', { range: 'bytes=0-9,900000-900009' });
      check(parts.body.includes(big.slice(900_000, 900_010)), 'the second range');
    });
    await cases.check(name('a large head, and what HTTP/1.1 says of its connection is not in it'), async () => {
      const r = await get(s, '/heads');
      equal(r.fields['x-large'].length, 30_000);
      equal(r.fields['x-upper'], 'Kept As It Is');
      const m = await get(s, '/stream');
      equal(m.body.length, 10_000);
      equal(m.trailers, undefined);
      for (const f of ['connection', 'keep-alive', 'transfer-encoding', 'x-hop']) equal(m.fields[f], undefined, f);
      equal((await get(s, '/426')).fields.upgrade, undefined);
    });
    await cases.check(name('uploads, with a length and without'), async () => {
      const up = 'x'.repeat(300_000);
      equal((await get(s, '/up', {}, up)).body, 'got 300000 true');
      equal((await get(s, '/up', { 'content-length': up.length }, up)).body, 'got 300000 true');
      equal(origin.requests.at(-1).fields['content-length'], '300000');
      equal((await get(s, '/up', {}, '')).body, 'got 0 true');
      equal((await get(s, '/up', { 'content-length': 17 * 1024 * 1024 }, '').catch((e) => ({ status: e.code })).then((r) => r)).status, 413);
    });
    await cases.check(name('many at a time'), async () => {
      const all = await Promise.all(Array.from({ length: 80 }, (_, i) => get(s, i % 4 ? '/page' : '/big')));
      for (const [i, r] of all.entries()) check(i % 4 ? r.status === 200 : r.body === big, `answer ${i}`);
      const ups = await Promise.all(Array.from({ length: 10 }, () => get(s, '/up', {}, 'x'.repeat(100_000))));
      check(ups.every((r) => r.body === 'got 100000 true'), 'uploads');
    });
    await cases.check(name('two at once at a cold page are one fetch; one of two that is reset leaves the other alone'), async () => {
      const n = origin.requests.length;
      const [a, b] = await Promise.all([get(s, `/cold/${how}`), get(s, `/cold/${how}`)]);
      equal(a.body, b.body);
      equal(origin.requests.length, n + 1);
      const going = get(s, '/stream');
      const left = s.request({ ':path': '/big' });
      left.on('error', () => {});
      left.once('data', () => left.close(http2.constants.NGHTTP2_CANCEL));
      equal((await going).body.length, 10_000);
      check((await get(s, '/big')).body === big, 'the page');
    });
    await cases.check(name('a hit has the same head each time'), async () => {
      const heads = [];
      for (let i = 0; i < 4; i++) {
        const { fields } = await get(s, '/page');
        for (const f of ['age', 'cache-status']) delete fields[f];
        heads.push(JSON.stringify(fields));
      }
      equal(new Set(heads).size, 1);
    });
    await cases.check(name('interim answers'), async () => {
      const r = await get(s, '/early');
      equal(r.interim[0]?.[':status'], 103);
      equal(r.body, 'late');
      const expects = await new Promise((resolve) => {
        const u = s.request({ ':path': '/up', ':method': 'POST', expect: '100-continue' });
        let text = '', interim = 0;
        u.on('continue', () => u.end('x'.repeat(10), interim++));
        u.on('data', (d) => (text += d));
        u.on('end', () => resolve(text + interim));
      });
      equal(expects, 'got 10 true1');
    });
    await cases.check(name('several Cookie lines are one, and the authority counts'), async () => {
      const r = await get(s, '/cookies', { ':authority': 'test', cookie: ['a=1', 'b=2'], host: 'evil.test' });
      check(r.body.startsWith('GET test ') && r.body.endsWith('a=1; b=2'), r.body);
    });
    await cases.check(name('an answer that is cut off is reset'), async () => {
      const r = await get(s, '/cut', {}, undefined, () => origin.sockets.forEach((o) => o.destroy()));
      equal(r.error, 'ERR_HTTP2_STREAM_ERROR');
      equal(r.body, 'half');
      equal((await get(s, '/page')).status, 200);
    });
    await cases.check(name('a refused request has an answer, and the connection goes on'), async () => {
      equal((await get(s, '/', { 'x-large': 'x'.repeat(17_000) })).status, 431);
      equal((await get(s, `/${'p'.repeat(9000)}`)).status, 414);
      equal((await get(s, '/', { expect: 'more' })).status, 417);
      equal((await get(s, '/%zz')).status, 400);
      equal((await get(s, '/page')).status, 200);
    });
  }
  await cases.check('a host that the certificate is not for is another connection\'s', async () => {
    const s = open('tls');
    equal((await get(s, '/page', { ':authority': 'other.test' })).status, 200);
    equal((await get(s, '/page', { ':authority': 'OTHER.test:443' })).status, 200);
    equal((await get(s, '/page', { ':authority': 'third.test' })).status, 421);
    equal((await get(s, '/page')).status, 200);
  });
  await cases.check('the counters', async () => {
    const g = await freshet.gauges();
    equal(g.http2_connections_total, 3);
    equal(g.http2_connections_open, 3);
    check(g.http2_requests_total > 200, `${g.http2_requests_total} requests`);
    equal(g.http2_connection_errors_total + g.http2_calmed_total, 0);
    equal(g.client_connections_accepted_total, 4); // with one of HTTP/1.1
  });
  await cases.check('only a new connection may begin so', async () => {
    const c = connect();
    await c.send(request('/page'));
    equal((await c.answers(1))[0].status, 200);
    await c.send('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    equal((await c.answers(2))[1].status, 505);
    c.close();
  });
  for (const s of sessions) s.close();
  await freshet.until('connections', '==', 0);
});
