// An idle connection that the origin closes just before a request that is not sent twice: it goes on another one, since the end was
// there to be seen before anything was sent.
// scenarios F11, T7; CACHING.md 7
import { equal, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.method} ${r.target} ${r.body}`);
await scenario({ answer }, async ({ cases, origin, freshet, connect }) => {
  const client = connect();
  await client.send(request('/0'));
  await client.answers(1);
  await freshet.settle();
  for (const [i, [name, method, body, end]] of [['POST, FIN', 'POST', 'x', 'destroy'], ['POST, RST', 'POST', 'x', 'resetAndDestroy'],
    ['PUT, FIN', 'PUT', 'x', 'destroy'], ['POST without a body, FIN', 'POST', '', 'destroy']].entries()) {
    await cases.check(name, async () => {
      const idle = [...origin.sockets].at(-1);
      await freshet.stopped(async () => {
        await client.send(request(`/${1 + i}`, {}, { method, body }));
        idle[end]();
      });
      const r = (await client.answers(2 + i)).at(-1);
      equal(`${r.status} ${r.body}`, `200 ${method} /${1 + i} ${body}`);
    });
    await freshet.settle();
  }
  await cases.check('each arrived once', () => equal(origin.requests.length, 5));
  client.close();
});
