// At shutdown a visitor who reads or waits for what another worker fetches gets it whole, though that worker has no visitors any more.
// scenarios V1
import { equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const held = gate();
const fields = { 'Cache-Control': 's-maxage=60', 'Content-Length': '4' };
const answer = async (r) => {
  if (r.target === '/half') return [reply('', fields) + 'pa', held.opened.then(() => 'ge')];
  if (r.target === '/held') await held.opened;
  return reply('page', fields);
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, cases, freshet, origin }) => {
  // Connections are spread: two a worker. The number of a request begins with its worker's; the one with the admin listener, the
  // first, stays until the others are gone.
  const all = Array.from({ length: 4 }, connect);
  const number = new Map();
  for (const [i, c] of all.entries()) {
    await c.send(request(`/${i}`));
    await c.answers();
    number.set(c, parseInt(origin.requests[i].fields['x-request-id'].split('-')[1], 16));
  }
  const [a, b, ...others] = all.sort((x, y) => number.get(y) - number.get(x));
  for (const [i, target] of ['/half', '/held'].entries()) {
    await [a, b][i].send(request(target));
    await soon(() => origin.requests.some((r) => r.target === target));
    await others[i].send(request(target));
  }
  await freshet.until('requests', '==', 4);
  await others[0].when('half a page', () => others[0].text.endsWith('pa'));
  a.close();
  b.close();
  await freshet.until('requests', '==', 2);
  freshet.signal('TERM');
  await connect().closed(); // nobody is let in: they know
  // A worker that does not end has no event; but each answers that its clock was turned, after what came before that: the drain, and
  // looking again whether it may end.
  for (let i = 0; i < 2; i++) await freshet.advance('100ms');
  held.open();
  for (const [i, what] of ['who reads', 'who waits'].entries()) {
    await cases.check(what, async () => {
      const r = (await others[i].answers(2))[1];
      equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; stored; collapsed');
      equal(r.body, 'page');
    });
  }
  await cases.check('one request each', () => equal(origin.requests.length, 4 + 2));
  await cases.check('status 0', async () => equal(await freshet.status(), '0'));
});
