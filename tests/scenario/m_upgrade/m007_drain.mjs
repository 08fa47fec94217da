// At shutdown tunnels may go on until drain_timeout, then they are cut, and the process ends with status 0.
// scenarios M7, V1
import { equal, scenario } from '../lib.mjs';

const answer = () => 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n';
await scenario({ answer, flags: ['--drain-timeout', '60s'] }, async ({ connect, cases, freshet, origin }) => {
  const t = connect();
  await t.send('GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await t.when('101', () => t.text.includes('\r\n\r\n'));
  freshet.signal('TERM');
  const [s] = origin.sockets;
  await cases.check('it goes on', async () => {
    await freshet.saying('draining');
    s.write('still here');
    await t.when('bytes', () => t.text.endsWith('still here'));
  });
  await freshet.advance('61s');
  await cases.check('until the deadline', () => t.closed());
  await cases.check('status 0', async () => equal(await freshet.status(), '0'));
});
