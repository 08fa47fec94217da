// Whatever freshet answers by itself (hits of each kind, redirects, refusals, purges, errors), a body that came with the request is read over
// or the connection ends: it is never a request, on this connection or on the origin's.
// scenarios N3; hostile h1-16, h0-03; CACHING.md 6.7
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(r.target, { ETag: '"1"', 'Cache-Control': /^\/(page|stale)/.test(r.target) ? 'max-age=60' : 'no-store' });
const yaml = (url) => `sites:
  a:
    hosts: [test]
    origin: ${url}
    purge_from: [192.0.2.0/24]
    rules:
      - path: /moved
        redirect: /page
  gone:
    hosts: [gone]
    origin: http://127.0.0.1:1
`;
const evil = 'GET /evil HTTP/1.1\r\nHost: test\r\n\r\n';
// name, request line, fields, statuses
const rows = [
  ['a hit', 'GET /page', {}, [200]],
  ['a hit of HEAD', 'HEAD /page', {}, [200]],
  ['a 304', 'GET /page', { 'If-None-Match': '"1"' }, [200, 304]],
  ['a part', 'GET /page', { Range: 'bytes=0-0' }, [200, 206]],
  ['no such part', 'GET /page', { Range: 'bytes=900-' }, [200, 416]],
  ['a redirect', 'GET /moved', {}, [301, 302, 307, 308]],
  ['a redirect of POST', 'POST /moved', {}, [200, 301, 302, 307, 308]],
  ['a host that is nobody\'s', 'GET /', { Host: 'nobody' }, [421]],
  ['a host that is none', 'GET /', { Host: 'a b' }, [400]],
  ['a target that is none', 'GET /%zz', {}, [400]],
  ['TRACE', 'TRACE /page', {}, [405, 501]],
  ['CONNECT', 'CONNECT a:80', {}, [400, 405, 501]],
  ['a purge by a stranger', 'PURGE /page', {}, [405]],
  ['a ban by a stranger', 'BAN /', { 'X-Purge-Regex': '.*' }, [405]],
  ['an expectation', 'GET /page', { Expect: 'x' }, [417]],
  ['only if cached', 'GET /page/none', { 'Cache-Control': 'only-if-cached' }, [200, 504]],
  ['an origin that is gone', 'POST /', { Host: 'gone' }, [502, 503]],
  ['GET of one that is gone', 'GET /', { Host: 'gone' }, [502, 503]],
  ['a loop', 'GET /', { 'CDN-Loop': 'freshet', Via: '1.1 freshet' }, [200, 508]],
];
const framings = {
  'a length': (b) => [`Content-Length: ${b.length}`, b],
  chunks: (b) => ['Transfer-Encoding: chunked', `${b.length.toString(16)}\r\n${b}\r\n0\r\n\r\n`],
  'a length beyond what comes': (b) => ['Content-Length: 9999', b],
};
await scenario({ answer, yaml }, async ({ connect, ask, cases, origin, freshet }) => {
  let raw = '';
  origin.server.on('connection', (s) => s.on('data', (d) => (raw += d.toString('latin1'))));
  await ask('/page');
  for (const [name, line, fields, statuses] of rows)
    for (const [framing, f] of Object.entries(framings))
      await cases.check(`${name}, ${framing}`, async () => {
        const [field, body] = f(evil);
        const c = connect();
        const host = fields.Host ?? 'test';
        const lines = Object.entries(fields).filter(([n]) => n !== 'Host').map(([n, v]) => `${n}: ${v}\r\n`).join('');
        await c.send(`${line} HTTP/1.1\r\nHost: ${host}\r\n${lines}${field}\r\n\r\n${body}`);
        const whole = framing !== 'a length beyond what comes';
        if (whole) await c.send('GET /page?after HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
        else c.socket.end();
        await c.closed();
        const method = line.split(' ')[0];
        const all = c.responses([method]);
        if (whole) {
          check(statuses.includes(all[0]?.status), `status ${all[0]?.status}`);
          check(all.length <= 2 && (all.length === 1 || all[1].body === '/page?after'), `answers ${c.text}`);
        } else check(all.length <= 1, `answers ${c.text}`);
        check(!c.text.includes('/evil'), 'answered');
        c.close();
      });
  await freshet.settle();
  await cases.check('the origin never had it as a request', () => equal(origin.requests.filter((r) => r.line.includes('/evil')).length, 0));
  await cases.check('and the page is as it was', async () => equal((await ask('/page')).body, '/page'));
});
