// An idle connection that the origin resets just before a request would be sent on it: a look at it tells, and the request goes out on
// a new one, as its first try.
// scenarios F11, T7; CACHING.md 7
import { equal, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.method} ${r.target}`);
// By readiness what comes at the same time is looked at in the order it came: the request first.
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
  await cases.check('each was tried once, and arrived once', async () => {
    equal((await freshet.gauges()).fetch_retries_total, 0);
    equal(origin.requests.length, 4);
  });
  client.close();
});
