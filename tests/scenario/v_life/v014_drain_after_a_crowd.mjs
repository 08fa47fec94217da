// What a crowd left behind for the next one holds up no drain.
// CACHING.md 7
import { equal, gate, reply, request, scenario } from '../lib.mjs';

const crowd = 1500; // more than the memory that is kept for good is for
const all_there = gate();
const answer = async () => {
  await all_there.opened;
  return reply('page', { 'Cache-Control': 's-maxage=60' });
};
// What is held up ends with drain_timeout, long after everybody has lost patience.
await scenario({ answer, flags: ['--drain-timeout', '1h'] }, async ({ cases, connect, freshet }) => {
  const clients = Array.from({ length: crowd }, connect);
  for (const c of clients) await c.send(request('/'));
  await freshet.until('requests', '==', crowd);
  all_there.open();
  for (const c of clients) equal((await c.answers(1))[0].body, 'page');
  for (const c of clients) c.close();
  await freshet.until('connections', '==', 0);
  await cases.check('it ends at once', async () => {
    freshet.signal('TERM');
    equal(await freshet.status(), '0');
  });
});
