// An origin that sends interim responses without end is cut off: a few dozen are passed on, then the answer is a 502, and the next
// request is served.
// scenarios K7
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => (r.target === '/mad' ? ['HTTP/1.1 103 \r\nLink: <a>\r\n\r\n'.repeat(1000) + reply('late')] : reply('good'));

await scenario({ answer }, async ({ connect, ask, cases, freshet }) => {
  const c = connect();
  await c.send('GET /mad HTTP/1.1\r\nHost: test\r\n\r\n');
  await c.when('the final answer', () => /^HTTP\/1\.1 [2-5]/m.test(c.text));
  const statuses = [...c.text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((m) => m[1]);
  await cases.check('it is a 502', () => equal(statuses.at(-1), '502'));
  await cases.check('after few interim ones', () => check(statuses.length <= 101, `${statuses.length}`));
  c.close();
  await freshet.settle();
  await cases.check('the next is served', async () => equal((await ask('/good')).body, 'good'));
});
