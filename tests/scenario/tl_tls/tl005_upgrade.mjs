// An upgrade hands over https addresses like others: what was begun over TLS is answered by the old process, idle connections are ended as TLS ends
// them, and whoever comes is served by the new one.
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';
import { Secure, address, certificate } from '../tls.mjs';

const later = gate();
const answer = async (r) => {
  if (r.target === '/slow') await later.opened;
  return reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' });
};
const flags = ['--https', address, '--workers', '2', '--drain-timeout', '1h', ...certificate('test', ['test'])];
await scenario({ answer, flags }, async ({ cases, freshet, origin }) => {
  const get = async (c, target, n = 1) => {
    await c.send(request(target));
    return (await c.answers(n)).at(-1);
  };
  const idle = new Secure();
  await get(idle, '/1');
  const slow = new Secure();
  await slow.send(request('/slow'));
  await soon(() => origin.requests.length === 2);
  await freshet.upgrade();
  await cases.check('an idle connection is ended properly', async () => {
    await idle.closed();
    equal(idle.error, null);
  });
  await cases.check('whoever comes gets what was stored', async () => {
    for (let i = 0; i < 4; i++) {
      const c = new Secure();
      check(/hit/.test((await get(c, '/1')).fields['cache-status']), 'a hit');
      c.close();
    }
  });
  await cases.check('what was begun is answered', async () => {
    later.open();
    equal((await slow.answers(1))[0].body, 'page /slow');
    await slow.closed();
    equal(slow.error, null);
    await freshet.drained();
  });
  await cases.check('one upgrade after the other', async () => {
    for (let i = 0; i < 3; i++) {
      await freshet.upgrade();
      await freshet.drained();
      const c = new Secure();
      check(/hit/.test((await get(c, '/1')).fields['cache-status']), 'a hit');
      c.close();
    }
  });
});
