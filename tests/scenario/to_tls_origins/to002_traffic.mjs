// All that goes to an origin goes to an https:// one as well: pages of any length, uploads, event streams, tunnels, deploys. What was cut is no answer, and
// connections are kept, and sessions gone on with, as long as the origin is believed in the same way.
import fs from 'node:fs';
import path from 'node:path';
import { Origin, Raw, check, equal, gate, hangup, reply, request, scenario, soon } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

authority('ca');
authority('later');
const secure = { ...signed('good', 'ca', ['IP:127.0.0.1']), ALPNProtocols: ['h2', 'http/1.1'], sessionTimeout: 86400 };
fs.copyFileSync('ca.pem', 'trusted.pem');
const flags = ['--origin-ca', path.resolve('trusted.pem'), '--workers', '1'];
const long = 'long'.repeat(500_000);
let going = gate();
let release;
const answer = async (r) => {
  if (r.fields.upgrade === 'websocket')
    return 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello from the origin';
  if (r.method === 'POST') return reply(`${r.body.length} ${r.body.slice(0, 4)}`, { 'Cache-Control': 'no-store' });
  if (r.target === '/long') return reply(long, { 'Cache-Control': 'max-age=600' });
  if (r.target === '/close') return ['HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\n\r\nwhole', hangup];
  if (r.target === '/cut') return 'HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\n\r\nonly a pa';
  if (r.target === '/events') return ['HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\ndata: 1\n\n', going.opened.then(() => 'data: 2\n\n')];
  if (r.target.startsWith('/wait')) await new Promise((done) => (release = done));
  return reply(`page ${r.target}`, { 'Cache-Control': 'no-store' });
};
await scenario({ answer, secure, flags }, async ({ ask, cases, connect, freshet, origin, arrived }) => {
  const made = [];
  let raw;
  origin.server.on('secureConnection', (s) => made.push({ socket: s, resumed: s.isSessionReused(), protocol: s.alpnProtocol, version: s.getProtocol() }));
  origin.server.on('connection', (s) => (raw = s));
  const quiet = () => freshet.settle();
  await cases.check('a page, and HTTP/1.1 is agreed on', async () => {
    equal((await ask('/1')).body, 'page /1');
    equal(made.length, 1);
    equal(made[0].protocol, 'http/1.1');
    equal(made[0].version, 'TLSv1.3');
    equal(made[0].resumed, false);
  });
  await cases.check('the connection is used again', async () => {
    await quiet();
    equal((await ask('/2')).body, 'page /2');
    equal(made.length, 1);
  });
  await cases.check('a long page, whole and stored', async () => {
    equal((await ask('/long')).body, long);
    const again = await ask('/long');
    check(again.body === long && /; hit/.test(again.fields['cache-status']), 'a hit');
  });
  await cases.check('an upload', async () => {
    equal((await ask('/up', {}, { method: 'POST', body: 'load'.repeat(200_000) })).body, '800000 load');
    const c = connect();
    await c.send('POST /up HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nload\r\n0\r\n\r\n');
    equal((await c.answers(1))[0].body, '4 load');
    c.close();
  });
  await cases.check('an event stream, as it comes', async () => {
    const c = connect();
    await c.send(request('/events', { Accept: 'text/event-stream' }));
    await c.when('the first', () => c.text.includes('data: 1'));
    check(!c.text.includes('data: 2'), 'not the second yet');
    going.open();
    await c.when('the second', () => c.text.includes('data: 2'));
    c.close();
    await quiet();
  });
  await cases.check('a tunnel, both ways', async () => {
    const c = connect();
    await c.send('GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await c.when('101', () => c.text.includes('hello from the origin'));
    const s = made.at(-1).socket;
    s.removeAllListeners('data');
    let got = '';
    s.on('data', (d) => (got += d));
    await c.send('ping' + 'x'.repeat(300_000));
    await soon(() => got.length === 300_004);
    s.write('pong' + 'y'.repeat(300_000));
    await c.when('pong', () => c.text.includes('pong' + 'y'.repeat(300_000)));
    s.end('bye');
    await c.when('bye', () => c.text.endsWith('bye'));
    c.close();
    await quiet();
  });
  await cases.check('a body that ends with the connection is whole after close_notify', async () => {
    equal((await ask('/close')).body, 'whole');
    check(/; hit/.test((await ask('/close')).fields['cache-status']), 'a hit');
  });
  await cases.check('without it, it is cut, and not stored', async () => {
    for (let i = 1; i <= 2; i++) {
      const n = origin.requests.length, c = connect();
      await c.send(request('/cut'));
      await arrived(n + 1);
      await c.when('a part', () => c.text.includes('only a pa'));
      raw.destroySoon(); // FIN of TCP alone
      await c.closed();
      check(!/\r\n0\r\n\r\n$/.test(c.text), 'no end of the body');
      await quiet();
    }
  });
  await cases.check('a new connection goes on with the session', async () => {
    await freshet.advance('1m'); // none is kept
    await freshet.until('origin_connections', '==', 0);
    const n = made.length;
    equal((await ask('/3')).body, 'page /3');
    equal(made.length, n + 1);
    equal(made.at(-1).resumed, true);
  });
  // Node gives two tickets with a whole handshake, and none with one that goes on with a session.
  await cases.check('and each ticket is used once', async () => {
    let pattern = '';
    for (let i = 0; i < 8; i++) {
      await freshet.advance('1m');
      await freshet.until('origin_connections', '==', 0);
      equal((await ask(`/t${i}`)).status, 200);
      pattern += made.at(-1).resumed ? 'R' : 'F';
    }
    check(/^R{0,2}FRRFRR/.test(pattern), pattern);
  });
  await cases.check('an idle connection that the origin closes is not used', async () => {
    await quiet();
    const n = made.length;
    made.at(-1).socket.end();
    await freshet.until('origin_connections', '==', 0);
    equal((await ask('/4')).body, 'page /4');
    equal(made.length, n + 1);
  });
  await cases.check('a reload with the same authorities keeps connections', async () => {
    await quiet();
    const n = made.length;
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
    equal((await ask('/5')).body, 'page /5');
    equal(made.length, n);
  });
  await cases.check('one with bad ones changes nothing', async () => {
    for (const [text, says] of [['', ': the file is empty; an authority'], ['no PEM\n', ':1: no certificate is in it; a PEM file is wanted'],
      [fs.readFileSync('ca.pem', 'utf8') + '\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
        `:${fs.readFileSync('ca.pem', 'utf8').split('\n').length + 1}: this certificate is damaged`], [null, 'cannot read \\S*trusted.pem: no such file']]) {
      fs.rmSync('trusted.pem', { force: true });
      if (text !== null) fs.writeFileSync('trusted.pem', text);
      freshet.signal('HUP');
      await freshet.saying(`site default: to its origin: .*trusted.pem${says}|site default: to its origin: ${says}`);
    }
    await freshet.saying('reload: the old settings stay', 4);
    const n = made.length;
    equal((await ask('/6')).body, 'page /6');
    equal(made.length, n);
  });
  await cases.check('with others the origin is believed no more, nor its idle connections', async () => {
    await quiet();
    fs.copyFileSync('later.pem', 'trusted.pem');
    freshet.signal('HUP');
    await freshet.saying('main: reloaded', 2);
    const r = await ask('/7');
    equal(r.status, 502);
    check(/origin-tls/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  await cases.check('until it shows a certificate of theirs; the old session is not gone on with', async () => {
    origin.server.setSecureContext({ ...secure, ...signed('better', 'later', ['IP:127.0.0.1']) });
    equal((await ask('/8')).body, 'page /8');
    equal(made.at(-1).resumed, false);
  });
  await cases.check('a deploy to another https:// origin', async () => {
    const next = await new Origin(() => reply('next', { 'Cache-Control': 'max-age=600' }), { ...signed('next', 'later', ['IP:127.0.0.1']) }).listen();
    const wrong = await freshet.verb('deploy', '--origin', (await new Origin(() => reply('x'), { ...signed('next', 'ca', ['IP:127.0.0.1']) }).listen()).url, '--wait', '0');
    equal(wrong.status, 1);
    check(/no trusted TLS connection/.test(wrong.stderr + wrong.stdout), wrong.stderr + wrong.stdout);
    equal((await ask('/9')).body, 'page /9');
    const done = await freshet.verb('deploy', '--origin', next.url);
    equal(done.status, 0, done.stderr);
    equal((await ask('/10')).body, 'next');
    await freshet.settle();
    const back = await freshet.verb('deploy', '--rollback');
    equal(back.status, 0, back.stderr);
    equal((await ask('/11')).body, 'page /11');
  });
});
