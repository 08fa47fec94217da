// A waiter that leaves is forgotten; a leader whose client leaves goes on for the waiters.
// scenarios C10, C11, E8
import { equal, reply, scenario } from '../lib.mjs';

const release = [];
const answer = async () => {
  await new Promise((r) => release.push(r));
  return reply('page', { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, ask, cases, freshet, origin }) => {
  const get = 'GET /a HTTP/1.1\r\nHost: test\r\n\r\n';
  const leader = connect();
  await leader.send(get);
  await freshet.until('fetches', '==', 1);
  const waiters = Array.from({ length: 10 }, connect);
  for (const w of waiters) await w.send(get);
  await freshet.until('requests', '==', 11);
  for (const w of waiters.slice(0, 5)) w.close();
  await cases.check('five waiters fewer', () => freshet.until('requests', '==', 6));
  leader.close();
  await cases.check('the leader is gone, the fetch is not', () => freshet.until('requests', '==', 5, 'fetches', '==', 1));
  release.forEach((r) => r());
  for (const w of waiters.slice(5)) {
    const [r] = await w.answers();
    await cases.check('the others have their page', () => equal(r.body, 'page'));
    w.close();
  }
  await cases.check('one request', () => equal(origin.requests.length, 1));
  await cases.check('which is stored', async () => equal((await ask('/a')).body, 'page'));
});
