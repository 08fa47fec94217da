// The end of a drain cuts a reply whose end is the end of the connection: by a reset, so that it does not look whole.
// scenarios V1, F4
import { equal, Raw, scenario } from '../lib.mjs';

// TCP: a Unix socket knows no reset.
await scenario({ answer: () => 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
  flags: ['--listen', '127.0.0.1:0', '--drain-timeout', '10s'] }, async ({ cases, freshet }) => {
  const c = new Raw(freshet.tcp);
  let error;
  let clean = false;
  c.socket.on('error', (e) => (error = e.code));
  c.socket.on('end', () => (clean = true));
  await c.send('GET / HTTP/1.0\r\nHost: test\r\n\r\n');
  await c.when('the beginning', () => c.text.endsWith('part'));
  freshet.signal('TERM');
  await freshet.saying('draining');
  await freshet.advance('11s');
  await cases.check('a reset', async () => {
    await c.closed();
    equal(clean, false, 'a clean end');
    equal(error, 'ECONNRESET');
  });
  await cases.check('status 0', async () => equal(await freshet.status(), '0'));
});
