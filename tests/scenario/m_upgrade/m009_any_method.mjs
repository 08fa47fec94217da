// Any method may ask for an upgrade, also with a body: the body goes first, then the connection is a tunnel when the origin answers
// 101, and an ordinary one when it does not. No byte of a client is the tunnel's before the 101.
// scenarios M1; CACHING.md 7
import net from 'node:net';
import { check, equal, scenario } from '../lib.mjs';

// Answers as told by the target, and notes all bytes that come over each connection.
const heard = new Map(); // target of the first request -> all bytes of its connection
let hold; // resolves with the socket of a request for /early
const server = net.createServer((s) => {
  let text = '', target;
  s.on('error', () => {}).on('data', (d) => {
    text += d.toString('latin1');
    if (!target && text.includes('\r\n\r\n')) {
      target = text.split(' ')[1];
      begin();
    }
    if (target) heard.set(target, text);
    if (target?.startsWith('/plain')) plain();
    if (target?.startsWith('/attach') && s.upgraded && text.endsWith('ping')) s.write('pong');
    if (target?.startsWith('/attach') && !s.upgraded) whole();
  });
  const switching = 'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';
  const whole = () => {
    const length = +(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
    const body = text.slice(text.indexOf('\r\n\r\n') + 4);
    if (/\r\ntransfer-encoding: chunked/i.test(text) ? !body.endsWith('0\r\n\r\n') : body.length < length) return;
    s.upgraded = true;
    s.write(switching);
  };
  // When the body is there; each connection is for one request.
  const plain = () => {
    const body = text.slice(text.indexOf('\r\n\r\n') + 4), length = +(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
    if (!s.writableEnded && (/\r\ntransfer-encoding: chunked/i.test(text) ? body.endsWith('0\r\n\r\n') : body.length >= length))
      s.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nplain');
  };
  const begin = () => {
    if (target.startsWith('/early')) {
      s.write(switching);
      hold?.(s);
    }
    if (target === '/required') s.end('HTTP/1.1 426 Upgrade Required\r\nUpgrade: tcp, quux\r\nConnection: Upgrade, close\r\nContent-Length: 2\r\n\r\nno');
    if (target === '/named') s.end('HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\nContent-Length: 2\r\n\r\nok');
    if (target === '/mute') s.end('HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno');
  };
});
await new Promise((r) => server.listen(0, '127.0.0.1', r));

const ask = (method, target, fields = '', body = '') =>
  `${method} ${target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${fields}\r\n${body}`;
const bodies = { none: ['', ''], empty: ['Content-Length: 0\r\n', ''], sized: ['Content-Length: 12\r\n', '{"Tty":true}'],
  chunked: ['Transfer-Encoding: chunked\r\n', '5\r\n{"Tty\r\n7\r\n":true}\r\n0\r\n\r\n'] };
await scenario({ yaml: () => `origin: http://127.0.0.1:${server.address().port}\n` }, async ({ connect, cases, freshet }) => {
  const switched = (c) => c.when('a head', () => /^HTTP\/1.1 101[^]*\r\n\r\n/.test(c.text));
  let n = 0;
  for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS']) for (const [name, [fields, body]] of Object.entries(bodies)) {
    await cases.check(`${method}, body ${name}`, async () => {
      const target = `/attach${++n}`, c = connect();
      await c.send(ask(method, target, fields, body));
      await switched(c);
      check(/\r\nupgrade: tcp\r\n/i.test(c.text) && /\r\nconnection: upgrade\r\n/i.test(c.text), c.text);
      await c.send('ping');
      await c.when('an echo', () => c.text.endsWith('\r\n\r\npong'));
      const [head, ...rest] = heard.get(target).split('\r\n\r\n');
      check(head.startsWith(`${method} ${target} HTTP/1.1\r\n`) && /\r\nUpgrade: tcp/i.test(head) && /\r\nConnection: upgrade/i.test(head), head);
      const sent = rest.join('\r\n\r\n').replace(/ping$/, '');
      equal(sent.replace(/[0-9a-f]+\r\n|\r\n/gi, (m) => (name === 'chunked' ? '' : m)), name === 'sized' || name === 'chunked' ? '{"Tty":true}' : '');
      c.close();
    });
  }
  await cases.check('what is sent behind the request waits for the 101', async () => {
    const c = connect();
    await c.send(ask('POST', '/attach-eager', ...bodies.sized) + 'ping');
    await c.when('an echo', () => c.text.endsWith('\r\n\r\npong'));
    equal(heard.get('/attach-eager').split('\r\n\r\n')[1], '{"Tty":true}ping');
    c.close();
  });
  await cases.check('a 101 before the body is whole waits for it', async () => {
    const socket = new Promise((r) => (hold = r));
    const c = connect();
    await c.send(ask('POST', '/early', 'Content-Length: 12\r\n', '{"Tty"'));
    const s = await socket;
    await freshet.until('requests', '==', 1);
    equal(c.text, '');
    s.write('first');
    await c.send(':true}second');
    await switched(c);
    await c.when('what the origin sent', () => c.text.endsWith('first'));
    await new Promise((r) => (function look() { heard.get('/early').endsWith('second') ? r() : s.once('data', look); })());
    equal(heard.get('/early').split('\r\n\r\n')[1], '{"Tty":true}second');
    c.close();
  });
  await cases.check('a 101 before the body, and the client leaves', async () => {
    const socket = new Promise((r) => (hold = r));
    const c = connect();
    await c.send(ask('POST', '/early-left', 'Content-Length: 12\r\n', '{"Tty"'));
    const s = await socket, ended = new Promise((r) => s.once('close', r));
    c.close();
    await ended;
    await freshet.settle();
  });
  for (const [name, [fields, body]] of Object.entries(bodies)) {
    await cases.check(`no 101: an ordinary answer, and the next request is one, body ${name}`, async () => {
      const c = connect();
      await c.send(ask('POST', `/plain-${name}`, fields, body) + 'GET /plain-next HTTP/1.1\r\nHost: test\r\n\r\n');
      const r = await c.answers(2);
      equal(r.map((a) => `${a.status} ${a.body}`).join(), '200 plain,200 plain');
      check(!/plain-next/.test(heard.get(`/plain-${name}`).split('\r\n\r\n').slice(1, 2).join()), 'bytes behind the request went with it');
      c.close();
    });
  }
  await cases.check('a GET with a length: what is behind it is no tunnel', async () => {
    const c = connect();
    await c.send(ask('GET', '/plain-get', 'Content-Length: 4\r\n', 'body') + ask('GET', '/plain-hidden'));
    equal((await c.answers(2)).length, 2);
    c.close();
  });
  await cases.check('a 426 keeps its Upgrade, named in Connection', async () => {
    const c = connect();
    await c.send(ask('POST', '/required', ...bodies.sized));
    const [r] = await c.answers(1);
    equal(r.status, 426);
    equal(r.fields.upgrade, 'tcp, quux');
    check(/\bupgrade\b/i.test(r.fields.connection ?? ''), r.head);
    await c.send('GET /mute HTTP/1.1\r\nHost: test\r\n\r\n');
    const next = (await c.answers(2))[1];
    check(next.status === 426 && !next.fields.upgrade && !next.fields.connection, next.head);
    c.close();
  });
  await cases.check('other answers do not keep it', async () => {
    const c = connect();
    await c.send(ask('POST', '/named', ...bodies.none));
    const [r] = await c.answers(1);
    check(r.fields.upgrade === undefined && r.fields.connection === undefined, r.head);
    c.close();
  });
  for (const offer of ['h2c', 'websocket, h2c', 'TLS/1.2', 'HTTP/2.0, SHTTP/1.3', 'h2']) {
    await cases.check(`${offer} is never asked for`, async () => {
      const c = connect(), target = `/plain-${offer.replace(/\W/g, '')}`;
      await c.send(`POST ${target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: ${offer}\r\nContent-Length: 1\r\n\r\nx`);
      equal((await c.answers(1))[0].status, 200);
      check(!/\r\n(upgrade|connection):/i.test(heard.get(target)), heard.get(target));
      c.close();
    });
  }
  await cases.check('HTTP/1.0 has no upgrade', async () => {
    const c = connect();
    await c.send('POST /plain-old HTTP/1.0\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 1\r\n\r\nx');
    equal((await c.answers(1))[0].status, 200);
    check(!/\r\n(upgrade|connection):/i.test(heard.get('/plain-old')), heard.get('/plain-old'));
    c.close();
  });
});
