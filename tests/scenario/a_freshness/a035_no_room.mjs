// When what is being fetched fills the memory, nothing can make room: the next page is delivered, not stored, and says why.
// CACHING.md 6.5
import { check, equal, fill_memory, gate, reply, scenario } from '../lib.mjs';

const held = gate();
const fields = { 'Cache-Control': 's-maxage=600', 'Content-Length': '4', 'X-Long': 'x'.repeat(8000) };
const answer = async (r) => {
  if (!r.target.startsWith('/held')) return reply('page', fields);
  const head = reply('', fields);
  return [head, held.opened.then(() => 'page')];
};
await scenario({ answer, flags: ['--memory', '1M'] }, async ({ ask, connect, cases, freshet }) => {
  const filling = await fill_memory(connect, '/held');
  await cases.check('a part of them fits', () => check(filling.length > 20 && filling.length < 200, `${filling.length}`));
  for (let i = 0; i < 2; i++) await cases.check('no room: delivered, not stored', async () => {
    const r = await ask('/next');
    equal(r.body, 'page');
    equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=no-memory');
  });
  held.open();
  for (const c of filling) {
    equal((await c.answers())[0].body, 'page');
    c.close();
  }
  await freshet.settle();
  await cases.check('room can be made again', async () => equal((await ask('/next')).fields['cache-status'], 'freshet; fwd=uri-miss; stored'));
});
