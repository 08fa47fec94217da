// When freshet itself has no descriptor left for a connection to the origin, it says so (503), serves stale what may be, and does
// not count it as the origin's failure.
// scenarios T9
import { spawnSync } from 'node:child_process';
import { check, equal, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply('page', { 'Cache-Control': r.target === '/kept' ? 's-maxage=1, stale-if-error=3600' : 'no-store' });
await scenario({ answer, flags: ['--origin-idle-timeout', '1s'] }, async ({ connect, cases, freshet, origin }) => {
  const limit = (n) => equal(spawnSync('prlimit', [`--pid=${freshet.note('pid')}`, `--nofile=${n}:`]).status, 0, 'prlimit');
  const c = connect();
  let n = 0;
  const get = async (target) => {
    await c.send(request(target));
    return (await c.answers(++n)).at(-1);
  };
  equal((await get('/kept')).body, 'page');
  await freshet.settle();
  await freshet.advance('10s');
  await freshet.until('origin_connections', '==', 0);
  limit(3); // those that are open stay so
  for (let i = 0; i < 6; i++) {
    await cases.check('503', async () => {
      const r = await get(`/${i}`);
      equal(r.status, 503);
      check(/detail=no-socket/.test(r.fields['cache-status']), r.fields['cache-status']);
      check(/limit of open files/.test(r.body), r.body);
    });
  }
  await cases.check('stale on an error', async () => equal((await get('/kept')).body, 'page'));
  limit(1024);
  await cases.check('the origin is not to blame', async () => {
    const [o] = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).origins;
    equal(`${o.health} ${o.failed}`, 'good 0');
  });
  await cases.check('the log says so', () => freshet.saying(/warning fetch: .*no socket from the system/.source, 6));
  await cases.check('and it goes on', async () => equal((await get('/after')).body, 'page'));
  equal(origin.requests.length, 2);
  c.close();
});
