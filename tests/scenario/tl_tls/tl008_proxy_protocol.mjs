// At an address of proxy_protocol each connection begins with a header that names the visitor, in clear and before TLS: logs, X-Forwarded-For, limits
// and purge_from go by that address. Who is no trusted proxy may not connect, and who sends no header, or a wrong one, or none in time, is closed.
import fs from 'node:fs';
import tls from 'node:tls';
import { Raw, check, equal, reply, request, scenario, soon } from '../lib.mjs';
import { Frames } from '../h2.mjs';
import { certificate, hello } from '../tls.mjs';

const mark = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const v1 = (ip, port = 1234) => Buffer.from(`PROXY TCP${ip.includes(':') ? 6 : 4} ${ip} ${ip} ${port} 443\r\n`);
const v2 = (ip, { command = 0x21, family = 0x11, more = '' } = {}) => {
  const address = ip ? Buffer.from([...ip.split('.').map(Number), 10, 0, 0, 1, 4, 210, 1, 187]) : Buffer.alloc(0);
  const rest = Buffer.concat([address, Buffer.from(more, 'latin1')]);
  return Buffer.concat([mark, Buffer.from([command, family, rest.length >> 8, rest.length & 255]), rest]);
};

const pair = certificate('test', ['test']);
const flags = ['--listen', '127.0.0.1:0', '--https', '127.0.0.2:0', '--proxy-protocol', '127.0.0.1:0', '--proxy-protocol', '127.0.0.2:0',
  '--trusted-proxies', '127.0.0.1', '--access-log', 'access.log', '--client-connections', '10', '--workers', '2', '--purge-from', '192.0.2.0/24', ...pair];
const answer = (r) => reply(`for ${r.fields['x-forwarded-for']} by ${r.fields['x-forwarded-proto']}`, { 'Cache-Control': r.target === '/hit' ? 'max-age=600' : 'no-store' });
await scenario({ answer, flags }, async ({ cases, freshet }) => {
  const clear = { host: '127.0.0.1', port: +/listening on 127\.0\.0\.1:(\d+), behind proxies \(proxy_protocol\)/.exec(freshet.log())[1] };
  const secure = { host: '127.0.0.2', port: +/listening on 127\.0\.0\.2:(\d+) with TLS, behind proxies/.exec(freshet.log())[1] };
  const from = { localAddress: '127.0.0.1' };
  const connect = (where) => new Raw({ ...where, ...from });
  // Sends the header in pieces of that size.
  const begin = async (where, header, size = header.length) => {
    const c = connect(where);
    for (let i = 0; i < header.length; i += size) await c.send(header.subarray(i, i + size));
    return c;
  };
  const get = async (c, target = '/', fields = {}) => {
    await c.send(request(target, fields));
    return (await c.answers(1))[0];
  };
  const by = async (header, fields, size) => {
    const c = await begin(clear, header, size);
    const r = await get(c, '/', fields);
    c.close();
    return r.body;
  };
  const shake = async (header) => {
    const c = await begin(secure, header);
    const s = tls.connect({ socket: c.socket, servername: 'test', rejectUnauthorized: false });
    const r = new Raw(s);
    await new Promise((done, fail) => s.on('secureConnect', done).on('error', fail));
    return r;
  };
  await cases.check('in clear, the visitor is whom the header names', async () => {
    equal(await by(v1('192.0.2.1')), 'for 192.0.2.1 by http');
    equal(await by(v1('2001:db8::1')), 'for 2001:db8::1 by http');
    equal(await by(v2('192.0.2.2')), 'for 192.0.2.2 by http');
    equal(await by(v2('192.0.2.3', { more: '\x04\0\x03abc'.repeat(50) })), 'for 192.0.2.3 by http');
    equal(await by(v1('192.0.2.4'), {}, 1), 'for 192.0.2.4 by http');
    await soon(() => /"client":"192\.0\.2\.4"|192\.0\.2\.4/.test(fs.readFileSync('access.log', 'utf8')));
  });
  await cases.check('with TLS, too', async () => {
    for (const header of [v1('192.0.2.1'), v2('192.0.2.1')]) {
      const c = await shake(header);
      equal((await get(c)).body, 'for 192.0.2.1 by https');
      c.close();
    }
  });
  await cases.check('and HTTP/2', async () => {
    const c = await begin(secure, v2('192.0.2.9'));
    const f = new Frames(tls.connect({ socket: c.socket, servername: 'test', rejectUnauthorized: false, ALPNProtocols: ['h2'] }));
    equal((await f.get('/', {}, { scheme: 'https' })).body, 'for 192.0.2.9 by https');
    f.close();
  });
  await cases.check('header and request, or handshake, in one piece', async () => {
    const c = await begin(clear, Buffer.concat([v2('192.0.2.7'), Buffer.from(request('/') + request('/'))]));
    equal((await c.answers(2))[1].body, 'for 192.0.2.7 by http');
    c.close();
    const s = connect(secure);
    await s.send(Buffer.concat([v1('192.0.2.8'), await hello()]));
    await soon(() => s.text.length > 100);
    equal(s.text.slice(0, 1), '\x16', 'a handshake');
    s.close();
  });
  await cases.check('a visitor is not a proxy: what he claims is not believed', async () => {
    equal(await by(v1('192.0.2.1'), { 'X-Forwarded-For': '10.9.9.9', 'X-Forwarded-Proto': 'https' }), 'for 192.0.2.1 by http');
  });
  await cases.check('but one of ours that speaks for itself is, and so is one that comes through another', async () => {
    const fields = { 'X-Forwarded-For': '10.9.9.9', 'X-Forwarded-Proto': 'https' };
    for (const header of [v2('192.0.2.1', { command: 0x20 }), v2('', { family: 0 }), v2('', { command: 0x20, family: 0 }), Buffer.from('PROXY UNKNOWN\r\n'),
      v1('127.0.0.1')]) equal(await by(header, fields), 'for 10.9.9.9, 127.0.0.1 by https');
  });
  await cases.check('purge_from goes by the visitor', async () => {
    for (const [ip, status] of [['192.0.2.1', 200], ['198.51.100.1', 405]]) {
      const c = await begin(clear, v1(ip));
      await c.send(request('/hit', {}, { method: 'PURGE' }));
      equal((await c.answers(1))[0].status, status);
      c.close();
    }
  });
  await cases.check('what is no header is closed, and said', async () => {
    const failed = (await freshet.gauges()).proxy_headers_failed_total;
    const wrong = [Buffer.from(request('/')), Buffer.from('PROXY TCP4 1 2 3 4\r\n'), v2('192.0.2.1', { command: 0x22 }), v2('192.0.2.1', { family: 0x12 }),
      Buffer.from('PROXY UNKNOWN ' + 'x'.repeat(200)), Buffer.from('\x16\x03\x01', 'latin1')];
    for (const header of wrong) for (const where of [clear, secure]) {
      const c = await begin(where, header);
      await c.closed();
      equal(c.text, '');
    }
    equal((await freshet.gauges()).proxy_headers_failed_total - failed, 2 * wrong.length);
    await freshet.saying('a connection from 127.0.0.1 is closed: it does not begin with a header of the PROXY protocol');
  });
  await cases.check('who is no trusted proxy may not connect', async () => {
    const c = new Raw({ ...clear, localAddress: '127.0.0.3' });
    await c.closed();
    await freshet.saying('127.0.0.3 is refused: it is none of trusted_proxies');
  });
  await cases.check('a header has a time', async () => {
    const slow = [connect(clear), await begin(clear, v1('192.0.2.1').subarray(0, 10)), await begin(secure, v2('192.0.2.1').subarray(0, 20))];
    await freshet.until('proxy_headers_open', '==', 3);
    await freshet.advance('9s');
    equal((await freshet.gauges()).proxy_headers_open, 3);
    await freshet.advance('2s');
    for (const c of slow) await c.closed();
    await freshet.until('proxy_headers_open', '==', 0);
  });
  await cases.check('who leaves before its end is forgotten', async () => {
    const header = v2('192.0.2.1');
    for (let i = 0; i <= header.length; i += 3) (await begin(secure, header.subarray(0, i))).close();
    await freshet.until('proxy_headers_open', '==', 0);
    await freshet.until('tls_handshakes_open', '==', 0);
  });
  await cases.check('the limit of one client is the visitor’s, not the proxy’s', async () => {
    const many = [];
    for (let i = 0; i < 25; i++) many.push(await begin(clear, v1(i < 15 ? '198.51.100.7' : `203.0.113.${i}`)));
    await soon(() => many.filter((c) => c.ended).length === 5);
    await freshet.until('client_connections_open', '==', 20);
    for (const c of many) c.close();
    await freshet.until('client_connections_open', '==', 0);
    equal(await by(v1('198.51.100.7')), 'for 198.51.100.7 by http');
  });
  await cases.check('an upgrade ends idle ones, since the new process would not know the visitor', async () => {
    const c = await begin(clear, v1('192.0.2.1'));
    equal((await get(c)).body, 'for 192.0.2.1 by http');
    await freshet.upgrade();
    await c.closed();
    await freshet.drained();
    equal(await by(v1('192.0.2.9')), 'for 192.0.2.9 by http');
    const s = await shake(v2('192.0.2.9'));
    equal((await get(s)).body, 'for 192.0.2.9 by https');
    s.close();
  });
});
