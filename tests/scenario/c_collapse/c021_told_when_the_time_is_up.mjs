// Those who wait and whose time is up in the moment in which the page comes do not lose patience with the next one: the page is
// another's, and they share the one fetch that brings theirs.
// scenarios C1, C2
// also over tls
import { equal, gate, Raw, reply, request, scenario, soon } from '../lib.mjs';

const held = { a: gate(), b: gate() };
const answer = async (r) => {
  const who = r.fields.cookie.at(-1);
  await held[who].opened;
  return reply(who, { 'Cache-Control': 's-maxage=60', 'Netlify-Vary': 'cookie=v' });
};
await scenario({ answer, flags: ['--wait-timeout', '20s'] }, async ({ connect, cases, freshet, origin }) => {
  const leader = connect();
  await leader.send(request('/', { Cookie: 'v=a' }));
  await soon(() => origin.requests.length === 1);
  // They are told one after the other, a few in each turn of the loop: so many that the clock is turned meanwhile.
  const waiters = Array.from({ length: 200 }, connect);
  for (const w of waiters) await w.send(request('/', { Cookie: 'v=b' }));
  await freshet.until('requests', '==', 1 + waiters.length);
  await freshet.advance('15s');
  const control = new Raw(freshet.at('control'));
  await freshet.stopped(async () => {
    held.a.open();
    await soon(() => [...origin.sockets][0].bytesWritten > 0);
    await control.send('advance 6000\n');
  });
  await control.when('the clock', () => control.text === 'ok\n');
  control.close();
  await soon(() => origin.requests.length > 1);
  await freshet.until('requests', '==', waiters.length, 'joins_total', '>=', 2 * waiters.length - 1);
  held.b.open();
  for (const w of waiters) await w.answers();
  await cases.check('all have their page', () => {
    for (const w of waiters) equal(w.responses()[0].body, 'b');
  });
  await cases.check('of one fetch', () => equal(origin.requests.length, 2));
  for (const c of [leader, ...waiters]) c.close();
});
