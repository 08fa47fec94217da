// An idle connection that the origin resets just before a request is sent on it, so that already sending fails: asked again on a new
// one, as if it had been lost a moment later.
// scenarios F11, T7; CACHING.md 7
import { equal, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.method} ${r.target}`);
// By readiness a write is a call of its own, which fails at once; what comes at the same time is looked at in the order it came.
await scenario({ answer, flags: ['--io', 'epoll'] }, async ({ cases, origin, freshet, connect }) => {
  const client = connect();
  const ask = (target, method = 'GET') => client.send(request(target, {}, { method }));
  await ask('/1');
  await client.answers(1);
  await freshet.settle();
  const methods = ['GET', 'GET', 'PUT', 'HEAD'];
  for (const [i, method] of methods.slice(1).entries()) {
    await cases.check(method, async () => {
      const idle = [...origin.sockets].at(-1);
      await freshet.stopped(async () => {
        await ask(`/${2 + i}`, method);
        idle.resetAndDestroy();
      });
      const r = (await client.answers(2 + i, methods)).at(-1);
      equal(`${r.status} ${r.body}`, method === 'HEAD' ? '200 ' : `200 ${method} /${2 + i}`);
    });
    await freshet.settle();
  }
  await cases.check('each was tried twice, and arrived once', async () => {
    equal((await freshet.gauges()).fetch_retries_total, 3);
    equal(origin.requests.length, 4);
  });
  client.close();
});
