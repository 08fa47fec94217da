// Whatever an origin sends right behind its 101 reaches the client, also when the head came in pieces and much is behind it.
// scenarios M1
import { check, equal, scenario } from '../lib.mjs';

const much = 'y'.repeat(30_000);
await scenario({ answer: () => 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 101 Switching' }, async ({ connect, cases, origin, freshet }) => {
  const c = connect();
  await c.send('GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await c.when('the hints, and with them half of the head', () => c.text.includes('Early Hints') || c.text.includes(' 103 '));
  await freshet.stopped(() => new Promise((r) =>
    [...origin.sockets][0].write(` Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n${much}`, r)));
  await cases.check('all of it', async () => {
    await c.when('the bytes, or an end', () => c.text.endsWith(much) || c.ended);
    check(c.text.includes('101 Switching Protocols'), 'no 101');
    equal(c.text.split('\r\n\r\n').at(-1).length, much.length);
  });
  c.close();
  await freshet.settle();
});
