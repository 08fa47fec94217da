// What a browser fetches ahead (Sec-Purpose: prefetch) is a hit as any; of the origin it gets what others leave, and gives way to them.
// CACHING.md 6.8, 4.8
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const minute = { 'Cache-Control': 's-maxage=60' };
const prefetch = { 'Sec-Purpose': 'prefetch' };
const held = [];
let hold = false;
const answer = async (r) => {
  if (hold) await new Promise((release) => held.push({ target: r.target, release }));
  const seen = r.fields['sec-purpose'] ?? r.fields.purpose;
  if (r.target.startsWith('/private')) return reply(`for ${seen}`, { 'Cache-Control': 'private' });
  if (r.target.startsWith('/vary')) return reply(`for ${seen}`, { ...minute, Vary: 'Sec-Purpose, Purpose', 'Netlify-Vary': 'header=Sec-Purpose|Purpose' });
  return reply(`for ${seen}`, r.target === '/stale' ? { 'CDN-Cache-Control': 'max-age=1, stale-while-revalidate=600' } : minute);
};
const flags = ['--origin-connections', '1', '--origin-queue', '2', '--workers', '1', '--queue-timeout', '10m', '--first-byte-timeout', '20m',
  '--wait-timeout', '20m'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const status = (r) => r.fields['cache-status'];

  for (const [i, fields] of [prefetch, { 'Sec-Purpose': 'prefetch;prerender' }, { 'sec-purpose': ' PREFETCH ; anonymous-client-ip' }, { Purpose: 'prefetch' }].entries())
    await cases.check(`${JSON.stringify(fields)}: stored for all, and the origin is not told`, async () => {
      equal((await ask(`/page${i}`, fields)).body, 'for undefined');
      check(/hit/.test(status(await ask(`/page${i}`))), 'a visitor finds it');
      check(/hit/.test(status(await ask(`/page${i}`, fields))), 'a prefetch is a hit as any');
    });
  await cases.check('it makes no other page, whatever Vary says', async () => {
    equal((await ask('/vary', prefetch)).body, 'for undefined');
    for (const f of [{}, prefetch, { Purpose: 'x' }]) check(/freshet; hit/.test(status(await ask('/vary', f))), JSON.stringify(f));
  });
  await cases.check('what passes keeps it', async () => {
    equal((await ask('/page0', prefetch, { method: 'POST', body: 'x' })).body, 'for prefetch');
    equal((await ask('/page0', { ...prefetch, Cookie: 'wordpress_logged_in_1=a' })).body, 'for prefetch');
    equal((await ask('/private', prefetch)).body, 'for undefined');
    equal((await ask('/private', prefetch)).body, 'for prefetch'); // known as not for all
    equal((await ask('/private', { 'Sec-Purpose': 'prefetch;prerender' })).body, 'for prefetch;prerender');
    equal((await ask('/signed', { ...prefetch, Authorization: 'Basic eA==' })).body, 'for prefetch'); // unchanged, and not stored
    check(/uri-miss/.test(status(await ask('/signed'))), 'not stored');
  });

  // One holds the only connection; what comes waits.
  const release = (target) => held.splice(held.findIndex((h) => h.target === target), 1)[0].release();
  const busy = async () => {
    await freshet.settle();
    hold = true;
    const one = ask('/held');
    await soon(() => held.some((h) => h.target === '/held'));
    return { answer: one };
  };
  const queue = async (n, target, fields) => { // n: with it
    const r = ask(target, fields);
    await freshet.until('requests', '==', n);
    return { answer: r };
  };
  const finish = async (...answers) => {
    hold = false;
    while (held.length) held.shift().release();
    return Promise.all(answers);
  };
  const order = (from) => origin.requests.slice(from).map((r) => r.target).join();
  let id = 0;
  const fresh = () => `/f${id++}`;

  await cases.check('with a free connection it is fetched at once', async () => {
    await freshet.settle();
    equal((await ask(fresh(), prefetch)).status, 200);
  });
  await cases.check('it waits behind visitors who came later', async () => {
    const from = origin.requests.length;
    const one = await busy();
    const a = await queue(2, '/ahead', prefetch);
    const b = await queue(3, '/visitor');
    await finish(one.answer, a.answer, b.answer);
    equal(order(from), '/held,/visitor,/ahead');
  });
  await freshet.run('purge', '--all');
  await cases.check('when the queue is full the youngest gives way: 503, and it may ask again', async () => {
    const from = origin.requests.length;
    const one = await busy();
    const old = await queue(2, '/old', prefetch);
    const young = await queue(3, '/young', prefetch);
    equal((await ask('/more', prefetch)).fields['cache-status'].includes('detail=origin-queue-full'), true);
    const visitor = ask('/visitor');
    const given = await young.answer;
    equal(given.status, 503);
    check(/detail=gave-way/.test(status(given)), status(given));
    equal(given.fields['retry-after'], '5');
    check(/prefetch/.test(given.body), given.body);
    await freshet.until('requests', '==', 3);
    const [, , ahead] = await finish(one.answer, visitor, old.answer);
    equal(ahead.status, 200);
    equal(order(from), '/held,/visitor,/old');
  });
  await freshet.run('purge', '--all');
  await cases.check('one that a visitor waits for is a prefetch no more', async () => {
    const from = origin.requests.length;
    const one = await busy();
    const other = await queue(2, '/other', prefetch);
    const wanted = await queue(3, '/wanted', prefetch);
    const joined = await queue(4, '/wanted');
    const visitor = ask('/visitor'); // the queue is full: the one that nobody waits for gives way, though it is the elder
    equal((await other.answer).status, 503);
    const answers = await finish(one.answer, wanted.answer, joined.answer, visitor);
    answers.forEach((r) => equal(r.status, 200));
    equal(order(from), '/held,/wanted,/visitor');
  });
  await freshet.run('purge', '--all');
  await cases.check('two prefetches of one page are one', async () => {
    const from = origin.requests.length;
    const one = await busy();
    const two = [await queue(2, '/two', prefetch), await queue(3, '/two', prefetch)];
    const visitors = [await queue(4, '/v1'), ask('/v2')];
    const given = await Promise.all(two.map((t) => t.answer));
    given.forEach((r) => equal(r.status, 503));
    await finish(one.answer, visitors[0].answer, visitors[1]);
    equal(order(from), '/held,/v1,/v2');
  });
  await freshet.run('purge', '--all');
  await cases.check('the refresh of a stale page that it met is as any', async () => {
    await ask('/stale');
    await freshet.advance('10s');
    const from = origin.requests.length;
    const one = await busy();
    const ahead = await queue(2, '/ahead', prefetch);
    check(/detail=refreshing/.test(status(await ask('/stale', prefetch))), 'stale');
    await finish(one.answer, ahead.answer);
    await freshet.settle();
    equal(order(from), '/held,/stale,/ahead');
  });
});
