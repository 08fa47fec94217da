// A body that ends with the connection is whole after a FIN; after a RST it is not, and is not stored.
// scenarios F4
// also over tls, h2
import { check, equal, hangup, scenario } from '../lib.mjs';

const head = 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\r\nuntil the end';
let reset;
let n = 0;
const answer = (r, origin) => {
  n++;
  if (!reset) return [head, hangup];
  return head;
};
await scenario({ answer }, async ({ connect, cases, origin }) => {
  const get = async (target) => {
    const c = connect();
    await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
    if (reset) {
      await c.when('the body', () => c.text.includes('until the end'));
      for (const s of origin.sockets) s.resetAndDestroy();
      await c.closed();
    } else {
      await c.answers();
    }
    c.close();
    return c.responses()[0];
  };
  reset = false;
  await cases.check('after a FIN it is whole', async () => equal((await get('/fin')).body, 'until the end'));
  reset = true;
  await cases.check('after a RST the client sees that it is not', async () => check((await get('/rst')).cut, 'delivered as whole'));
  const before = n;
  reset = false;
  await get('/rst');
  await cases.check('and it was not stored', () => equal(n, before + 1));
});
