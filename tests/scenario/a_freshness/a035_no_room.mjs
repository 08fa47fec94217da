// When what is being fetched fills the memory, nothing can make room: the next page is delivered, not stored, and says why.
// CACHING.md 6.5
import { check, equal, gate, reply, request, scenario } from '../lib.mjs';

const held = gate();
const fields = { 'Cache-Control': 's-maxage=600', 'Content-Length': '4', 'X-Long': 'x'.repeat(8000) };
const answer = async (r) => {
  if (!r.target.startsWith('/held')) return reply('page', fields);
  const head = reply('', fields);
  return [head, held.opened.then(() => 'page')];
};
await scenario({ answer, flags: ['--memory', '1M'] }, async ({ ask, connect, cases, freshet }) => {
  // Heads that wait for their bodies, until no more fit.
  const filling = [];
  for (let last = ''; !/no-memory/.test(last) && filling.length < 200;) {
    const c = connect();
    await c.send(request(`/held/${filling.length}`));
    await c.when('a head', () => c.text.includes('\r\n\r\n'));
    last = c.responses()[0].fields['cache-status'];
    filling.push(c);
  }
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
