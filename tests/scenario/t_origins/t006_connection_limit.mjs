// No more connections to an origin than allowed; who waits for one waits in order, not for ever, and not in any number.
// scenarios T6
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const release = [];
let open = 0;
let most = 0;
let queued;
await scenario({ answer: async (r) => {
  most = Math.max(most, ++open);
  await new Promise((resolve) => release.push(resolve));
  open--;
  return reply(r.target, { 'Cache-Control': 'no-store' });
}, flags: ['--origin-connections', '3', '--origin-queue', '4', '--queue-timeout', '30s'] }, async ({ ask, cases, freshet, origin }) => {
  const all = Array.from({ length: 3 }, (_, i) => ask(`/${i}`));
  await soon(() => release.length >= 3);
  queued = [];
  for (let i = 0; i < 4; i++) { // one after another: they come over connections of their own
    queued.push(ask(`/q${i}`));
    await freshet.until('requests', '==', 4 + i);
  }
  await cases.check('the queue is full: 503', async () => {
    const r = await ask('/more');
    equal(r.status, 503);
    check(/detail=origin-queue-full/.test(r.fields['cache-status']), r.fields['cache-status']);
    check(r.fields['retry-after'] !== undefined, 'no Retry-After');
  });
  const lines = (pattern) => freshet.log().match(new RegExp(pattern, 'g'))?.length ?? 0;
  await cases.check('the log says so once, not for each of a crowd', async () => {
    const crowd = await Promise.all(Array.from({ length: 5 }, (_, i) => ask(`/crowd${i}`)));
    crowd.forEach((r) => equal(r.status, 503));
    await freshet.saying(': GET test/more: too many requests wait for a connection to the origin: origin_connections 3, origin_queue 4 ');
    equal(lines('too many requests'), 1);
    await freshet.advance('11s');
    await ask('/again');
    await freshet.saying(': GET test/again: too many requests .*; 5 more since the last such line');
  });
  release.shift()();
  await soon(() => release.length >= 3);
  await cases.check('one of the queue goes on', () => freshet.until('requests', '==', 6));
  await freshet.advance('31s');
  await cases.check('the others wait no longer: 503', async () => {
    const got = await Promise.all(queued.slice(1));
    got.forEach((r) => equal(r.status, 503));
    await freshet.saying('waited too long for a connection to the origin: origin_connections 3, queue_timeout 30s ');
    equal(lines('waited too long'), 1);
  });
  while (release.length) release.shift()();
  await cases.check('all that were let through are answered', async () => {
    (await Promise.all(all)).forEach((r, i) => equal(r.body, `/${i}`));
    equal((await queued[0]).body, '/q0');
  });
  await cases.check('never more than three at once', () => equal(most, 3));
  await cases.check('four requests', () => equal(origin.requests.length, 4));
});
