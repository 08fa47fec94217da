// An origin that answers before it has the whole upload, and resets in the middle of a body that ends with the connection: the client
// sees that it is not whole, also when it was the upload's next piece that met the reset.
// scenarios F4
import { check, scenario, soon } from '../lib.mjs';

await scenario({ answer: () => null }, async ({ connect, cases, origin, freshet }) => {
  for (const order of [['client', 'origin'], ['origin', 'client']]) {
    await cases.check(order.join(', then '), async () => {
      const c = connect();
      await c.send('POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
      await soon(() => [...origin.sockets].some((s) => s.bytesRead > 0));
      const socket = [...origin.sockets].at(-1);
      socket.write('HTTP/1.1 200 OK\r\n\r\npart of it');
      await c.when('the beginning', () => c.text.includes('part of it'));
      await freshet.stopped(async () => {
        for (const who of order) {
          if (who === 'client') await c.send('6\r\nsecond\r\n');
          else socket.resetAndDestroy();
        }
      });
      await c.closed();
      check(c.responses()[0].cut, 'delivered as whole');
      c.close();
    });
    await freshet.settle();
  }
});
