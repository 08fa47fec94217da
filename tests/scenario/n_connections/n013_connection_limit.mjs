// At the limit of connections accepting pauses: who comes next waits, is not refused, and is served when a place is free.
// setting connections; scenarios S8
import { equal, reply, scenario } from '../lib.mjs';

await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=60' }), flags: ['--connections', '5'] }, async ({ connect, cases, freshet }) => {
  const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
  const five = Array.from({ length: 5 }, connect);
  for (const c of five) {
    await c.send(get);
    await c.answers();
  }
  const sixth = connect();
  await sixth.send(get);
  for (let i = 0; i < 20; i++) equal((await freshet.gauges()).connections, 5, 'open connections');
  await cases.check('the sixth is not served yet', () => equal(sixth.text + sixth.ended, 'false'));
  five[0].close();
  await cases.check('a place is free: it is', async () => equal((await sixth.answers())[0].body, 'x'));
  for (const c of [...five, sixth]) c.close();
});
