// SIGTERM: no new connections, requests in flight finish with Connection: close, idle connections close, status 0.
// scenarios V1, V7
import { check, equal, reply, scenario } from '../lib.mjs';

let release;
const held = new Promise((r) => (release = r));
await scenario({ answer: async () => {
  await held;
  return reply('whole');
} }, async ({ connect, cases, freshet }) => {
  const busy = connect();
  await busy.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  const idle = connect();
  await freshet.until('fetches', '==', 1, 'connections', '==', 2);
  freshet.signal('TERM');
  await cases.check('the idle one is closed', () => idle.closed());
  await cases.check('nobody new gets in', async () => {
    const late = connect();
    await late.closed();
    equal(late.text, '');
  });
  await cases.check('and the admin says so', async () => {
    equal((await freshet.api('GET', '/readyz')).status, 503);
    equal((await freshet.api('GET', '/healthz')).status, 200);
  });
  release();
  await cases.check('the busy one is answered', async () => {
    const [r] = await busy.answers();
    equal(r.body, 'whole');
    equal(r.fields.connection, 'close');
    await busy.closed();
  });
  await cases.check('status 0', async () => equal(await freshet.status(), '0'));
  check(true, '');
});
