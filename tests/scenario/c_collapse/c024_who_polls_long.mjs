// A long poll waits for nobody once its answers are known not to be stored, as long as it is used; an event stream never waits and is never
// waited for. A cold page that nobody knows keeps its patience.
// CACHING.md 6.4, 3.7
import { equal, reply, scenario, soon } from '../lib.mjs';

const held = [];
let hold = true;
const answer = async (r) => {
  if (r.target === '/_changes' && r.fields['if-none-match'] === undefined && !hold) return reply('state', { 'Cache-Control': 'must-revalidate', ETag: '"1"' });
  if (hold) await new Promise((release) => held.push(release));
  if (r.fields.accept?.includes('event-stream') && r.target !== '/page') return 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n';
  return reply('an event', { 'Cache-Control': r.target === '/page' ? 's-maxage=60' : 'must-revalidate', ETag: '"2"' });
};
await scenario({ answer, flags: ['--first-byte-timeout', '10m'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const release = () => held.splice(0).forEach((r) => r());
  const together = (n) => soon(() => held.length === n);

  for (const [i, accept] of ['text/event-stream', 'application/json, Text/Event-Stream;q=0.5'].entries()) {
    await cases.check(`${accept}: ten event streams of one URL`, async () => {
      const all = Array.from({ length: 10 }, () => connect());
      for (const c of all) await c.send(`GET /stream${i} HTTP/1.1\r\nHost: test\r\nAccept: ${accept}\r\n\r\n`);
      await together(10);
      release();
      for (const c of all) await c.when('the first event', () => /data: 1|an event/.test(c.text));
      for (const c of all) c.close();
      await freshet.settle();
    });
  }
  await cases.check('a page is neither held up by one nor holds one up', async () => {
    const first = ask('/page', { Accept: 'text/event-stream' });
    await together(1);
    const page = ask('/page', { Accept: '*/*' });
    await together(2);
    const second = ask('/page', { Accept: 'text/event-stream' });
    await together(3);
    const other = ask('/page', { Accept: 'text/html' });
    await freshet.until('requests', '==', 4);
    equal(held.length, 3, 'fetches');
    release();
    for (const r of await Promise.all([first, page, second, other])) equal(r.body, 'an event');
    equal((await ask('/page', { Accept: 'text/event-stream' })).fields['cache-status'].slice(0, 12), 'freshet; hit');
  });

  hold = false;
  await cases.check('what is polled is known', async () => equal((await ask('/_changes')).body, 'state'));
  hold = true;
  for (let round = 0; round < 3; round++) {
    await cases.check(`polls stand at the origin together, round ${round + 1}`, async () => {
      const polls = [ask('/_changes', { 'If-None-Match': '"1"' })];
      await together(1);
      await freshet.advance('100s'); // longer than no_queue_time: it is in use all the while
      for (let i = 1; i < 5; i++) polls.push(ask('/_changes', { 'If-None-Match': '"1"' }));
      await together(5);
      equal(origin.requests.slice(-5).every((r) => r.fields['if-none-match'] === '"1"'), true, 'conditions');
      release();
      for (const r of await Promise.all(polls)) equal(`${r.status} ${r.body}`, '200 an event');
    });
    await freshet.advance('50s');
  }
  await cases.check('of a cold page the second waits', async () => {
    const two = [ask('/cold'), ask('/cold')];
    await freshet.until('requests', '==', 2);
    await together(1);
    await freshet.advance('29s');
    equal(held.length, 1);
    await freshet.advance('2s');
    await together(2);
    release();
    await Promise.all(two);
  });
});
