// An origin that is gone costs a fast 502 each, not a timeout; when it is back all is well.
// scenarios T9; CACHING.md 6.7
import { check, equal, Origin, reply, scenario } from '../lib.mjs';

// A timeout would come long after everybody has lost patience.
await scenario({ answer: () => reply('x'), flags: ['--connect-timeout', '10m', '--first-byte-timeout', '1h'] }, async ({ ask, cases, origin }) => {
  equal((await ask('/')).body, 'x');
  const port = origin.port;
  await origin.close();
  for (let i = 0; i < 20; i++) {
    await cases.check('502', async () => {
      const r = await ask('/');
      equal(r.status, 502);
      equal(r.fields['cache-control'], 'no-store');
      equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=connect-failed');
      equal(r.fields['content-type'], 'text/plain; charset=utf-8');
      check(/^502 Bad Gateway\n\nThe origin does not accept connections\.\nRequest [0-9a-f]+-[0-9a-f]+\n$/.test(r.body), r.body);
    });
  }
  const again = new Origin(() => reply('back'));
  again.server = (await import('node:net')).createServer((s) => s.once('data', () => s.end(reply('back', { Connection: 'close' }))));
  await new Promise((r) => again.server.listen(port, '127.0.0.1', r));
  await cases.check('back again', async () => equal((await ask('/')).body, 'back'));
  again.server.close();
});
