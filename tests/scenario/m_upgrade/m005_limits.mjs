// Tunnels end when they are silent too long, and there are only so many at once.
// scenarios M5
import { equal, reply, scenario } from '../lib.mjs';

const answer = (r) => (r.fields.upgrade ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n' : reply('page'));
const up = 'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
await scenario({ answer, flags: ['--tunnels', '2', '--tunnel-timeout', '100s'] }, async ({ connect, cases, freshet, origin }) => {
  const open = async () => {
    const t = connect();
    await t.send(up);
    await t.when('a head', () => t.text.includes('\r\n\r\n'));
    return t;
  };
  const [a, b, c] = [await open(), await open(), await open()];
  await cases.check('two', () => equal(`${a.responses()[0].status} ${b.responses()[0].status}`, '101 101'));
  await cases.check('not three', () => {
    const [r] = c.responses();
    equal(r.status, 503);
    equal(r.fields['cache-status'], 'freshet; fwd=bypass; detail=tunnel-limit');
  });
  c.close();
  await cases.check('the log says so', () => freshet.saying('GET test/ws: too many upgraded connections: tunnels 2 .site default'));
  await freshet.advance('60s');
  await a.send('x');
  const sockets = [...origin.sockets];
  await new Promise((r) => sockets.forEach((s) => s.prependOnceListener('data', r)));
  await freshet.advance('60s');
  await cases.check('the silent one is ended', () => b.closed());
  await cases.check('the other is not', () => equal(a.ended, false));
  const d = await open();
  await cases.check('there is room again', () => equal(d.responses()[0].status, 101));
  await freshet.advance('110s');
  await a.closed();
  await d.closed();
});
