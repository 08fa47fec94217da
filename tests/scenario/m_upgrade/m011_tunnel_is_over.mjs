// A tunnel that both sides have ended is over at once: its connection is not kept for what the client could still send.
// scenarios M1
import { equal, request, scenario } from '../lib.mjs';

const answer = (r) => (r.target === '/ws'
  ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello'
  : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=600\r\n\r\nok');
await scenario({ answer }, async ({ connect, cases, freshet, origin }) => {
  const other = connect();
  let asked = 0;
  // One worker: what came before these was done before their answers.
  const turns = async () => {
    for (let i = 0; i < 5; i++) {
      await other.send(request('/page'));
      await other.answers(++asked);
    }
  };
  await turns();
  for (const [what, first] of [['the client ends it first', 'client'], ['the origin ends it first', 'origin']])
    await cases.check(what, async () => {
      const t = connect();
      await t.send(request('/ws', { Connection: 'Upgrade', Upgrade: 'websocket' }));
      await t.when('the tunnel', () => t.text.endsWith('hello'));
      const s = [...origin.sockets].filter((x) => !x.destroyed).at(-1);
      const told = new Promise((r) => s.once('end', r));
      if (first === 'client') {
        t.socket.end();
        await told;
        s.end();
      } else {
        s.end();
        await t.closed();
        t.socket.end();
      }
      await t.closed();
      await turns();
      if (first === 'origin') await freshet.until('connections', '==', 1); // its client's FIN has no event here
      equal((await freshet.gauges()).connections, 1, 'connections');
      t.close();
    });
  other.close();
});
