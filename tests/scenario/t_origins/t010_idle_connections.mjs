// A connection to the origin is kept for as long as it may be idle, counted from the end of its latest use: neither an earlier
// start of that time nor a long use ends it.
// scenario T7
import { equal, reply, scenario } from '../lib.mjs';

let finish;
const answer = async (r) => {
  if (r.target === '/slow') await new Promise((done) => (finish = done));
  return reply('x');
};
await scenario({ answer, flags: ['--origin-idle-timeout', '10s'] }, async ({ ask, cases, origin, freshet, arrived }) => {
  let made = 0;
  origin.server.on('connection', () => made++);
  await ask('/1');
  await cases.check('idle for less than its time: used again', async () => {
    await freshet.advance('8s');
    await ask('/2');
    equal(made, 1);
  });
  await cases.check('counted from its latest use', async () => {
    await freshet.advance('8s');
    await ask('/3');
    equal(made, 1);
  });
  await cases.check('a use that takes longer does not end it', async () => {
    const slow = ask('/slow');
    await arrived(4);
    await freshet.advance('30s');
    finish();
    equal((await slow).body, 'x');
    await freshet.settle();
    await ask('/4');
    equal(made, 1);
    equal(origin.sockets.size, 1);
  });
  await cases.check('idle for longer: closed', async () => {
    await freshet.advance('12s');
    await freshet.until('origin_connections', '==', 0);
    await ask('/5');
    equal(made, 2);
  });
});
