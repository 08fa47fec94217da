// A client that ends its side after its request still gets the answer; one whose request is not whole does not reach the origin.
// decisions 013; scenarios N12, E6
import net from 'node:net';
import { check, equal, Raw, reply, request, scenario } from '../lib.mjs';

const held = new Map();
let n = 0;
const answer = async (r) => {
  const mine = ++n;
  if (r.target.startsWith('/slow')) await new Promise((go) => held.set(r.target, go));
  if (r.target === '/socket') return null;
  return reply(`${r.method} ${r.target} ${mine} ${r.body}`, { 'Cache-Control': r.target === '/private' ? 'private' : 's-maxage=60' });
};
// TCP as well: there a closed client and a half-closed one look the same.
await scenario({ answer, flags: ['--listen', '127.0.0.1:0'] }, async ({ cases, freshet, origin, arrived }) => {
  const connect = () => new Raw(freshet.tcp);
  // All bytes and the FIN at once, as a script does it.
  const asked = async (text) => {
    const c = connect();
    c.socket.end(Buffer.from(text, 'latin1'));
    await c.closed();
    return c.responses();
  };
  const bodies = (responses) => responses.map((r) => r.body).join(' | ');
  await cases.check('a miss', async () => equal(bodies(await asked(request('/a'))), 'GET /a 1 '));
  await cases.check('a hit', async () => equal(bodies(await asked(request('/a'))), 'GET /a 1 '));
  await cases.check('what is not stored', async () => equal(bodies(await asked(request('/private'))), 'GET /private 2 '));
  await cases.check('HTTP/1.0', async () => equal(bodies(await asked('GET /b HTTP/1.0\r\n\r\n')), 'GET /b 3 '));
  await cases.check('several, one after the other', async () =>
    equal(bodies(await asked(request('/a') + request('/c') + request('/a') + request('/d'))), 'GET /a 1  | GET /c 4  | GET /a 1  | GET /d 5 '));
  await cases.check('an upload', async () => equal(bodies(await asked(request('/up', {}, { method: 'POST', body: 'x'.repeat(5000) }))),
    `POST /up 6 ${'x'.repeat(5000)}`));
  await cases.check('a long one', async () => equal(bodies(await asked(request('/up', {}, { method: 'POST', body: 'y'.repeat(300_000) }))),
    `POST /up 7 ${'y'.repeat(300_000)}`));
  // The kernel gives up a send that it was woken for in vain too often; then it is tried again.
  await cases.check('many long ones at once', async () => {
    const from = n;
    for (let round = 0; round < 6; round++) {
      const all = await Promise.all(Array.from({ length: 8 }, () => asked(request('/up', {}, { method: 'POST', body: 'z'.repeat(300_000) }))));
      check(all.every((r) => r.length === 1 && /^POST \/up \d+ z{300000}$/.test(r[0].body)), all.map((r) => r[0]?.body.length).join());
    }
    n = from;
  });
  await cases.check('in chunks', async () => equal(bodies(await asked(request('/up', { 'Transfer-Encoding': 'chunked' }, { method: 'POST',
    body: '5\r\nhello\r\n0\r\n\r\n' }))), 'POST /up 8 hello'));

  const before = origin.requests.length;
  for (const [what, text] of [['half a head', 'GET /half HTTP/1.1\r\nHost: te'], ['half a body', request('/half', { 'Content-Length': 10 },
    { method: 'POST', body: 'half' })], ['half a chunk', request('/half', { 'Transfer-Encoding': 'chunked' }, { method: 'POST', body: '5\r\nhe' })]]) {
    await cases.check(`${what} is no request`, async () => equal(bodies(await asked(text)), ''));
  }
  await cases.check('and none that the origin counts', async () => {
    await freshet.settle();
    equal(origin.requests.length, before);
  });

  // Who is waiting, and what he waits for, is bounded.
  const c = connect();
  c.socket.end(request('/slow/long'));
  await arrived(before + 1);
  await cases.check('it waits', () => freshet.until('requests', '==', 1));
  await freshet.advance('31s');
  await cases.check('not for ever', () => freshet.until('requests_open', '==', 0));
  held.get('/slow/long')();
  await freshet.settle();

  // Each of several has its own time.
  const two = connect();
  two.socket.end(request('/slow/one') + request('/slow/two'));
  await arrived(before + 2);
  await freshet.advance('20s');
  held.get('/slow/one')();
  await arrived(before + 3);
  await freshet.advance('20s');
  held.get('/slow/two')();
  await two.closed();
  await cases.check('one behind the other', () => equal(two.responses().length, 2, 'answers'));
  await freshet.settle();

  // One that reads its answer slowly is not given up.
  const slow = connect();
  slow.socket.pause();
  slow.socket.end(request('/slow/read'));
  await arrived(before + 4);
  held.get('/slow/read')();
  await freshet.settle();
  slow.socket.resume();
  await slow.closed();
  await cases.check('late but whole', () => check(/^GET \/slow\/read/.test(slow.responses()[0].body), slow.text));

  // A reset is the end, at once.
  const reset = connect();
  await reset.send(request('/slow/reset'));
  await arrived(before + 5);
  reset.socket.resetAndDestroy();
  await cases.check('a reset ends it', () => freshet.until('requests_open', '==', 0));
  held.get('/slow/reset')();
  // An upgrade cannot go on in one direction.
  const up = net.connect({ ...freshet.tcp, allowHalfOpen: true });
  up.on('error', () => {});
  up.end(request('/socket', { Connection: 'Upgrade', Upgrade: 'websocket' }));
  await cases.check('nor does an upgrade begin', () => new Promise((go) => up.on('close', go).resume()));
});
