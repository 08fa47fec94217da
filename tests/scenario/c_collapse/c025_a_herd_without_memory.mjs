// Thirty at once for a page for which there is no room in memory: one asks, then all others do, in parallel; and the next thirty again,
// since the answer says nothing of the page. Once there is room they wait for one fetch, and it is stored.
// CACHING.md 6.4
// also over tls
import { check, equal, fill_memory, gate, reply, scenario, soon } from '../lib.mjs';

const HERD = 30;
const filled = gate();
const waiting = [];
const fields = { 'Cache-Control': 's-maxage=600', 'Content-Length': '4', 'X-Long': 'x'.repeat(8000) };
const answer = async (r) => {
  if (r.target.startsWith('/held')) return [reply('', fields), filled.opened.then(() => 'page')];
  await new Promise((release) => waiting.push(release));
  return reply('page', fields);
};
const yaml = (url) => `memory: 1M\nsites:\n  one:\n    origin: ${url}\n    wait_timeout: 10m\n    first_byte_timeout: 20m\n`;
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, connect, cases, freshet, origin }) => {
  const filling = await fill_memory(connect, '/held');
  const held = filling.length;
  check(held > 20 && held < 200, `${held} held`);

  const herd = async (rounds) => {
    const before = origin.requests.length;
    const got = [ask('/page')];
    await soon(() => waiting.length === 1);
    for (let n = 1; n < HERD; n++) got.push(ask('/page'));
    await freshet.until('requests', '==', HERD + held);
    for (const [at, n] of rounds.entries()) {
      await soon(() => waiting.length >= n, 3000).catch(() => {});
      equal(waiting.length, n, `fetches of round ${at + 1}`);
      for (const release of waiting.splice(0)) release();
    }
    const answers = await Promise.all(got);
    equal(origin.requests.length - before, rounds.reduce((a, b) => a + b), 'fetches');
    return answers.map((r) => r.fields['cache-status']);
  };
  for (const i of [1, 2, 3]) await cases.check(`no room: herd ${i}`, async () => {
    for (const status of await herd([1, HERD - 1])) check(/detail=no-memory/.test(status), status);
  });
  filled.open();
  for (const c of filling) {
    await c.answers();
    c.close();
  }
  await freshet.settle();
  await cases.check('room again', async () => {
    const before = origin.requests.length;
    const got = [ask('/page')];
    await soon(() => waiting.length === 1);
    for (let n = 1; n < HERD; n++) got.push(ask('/page'));
    await freshet.until('requests', '==', HERD);
    waiting.pop()();
    for (const r of await Promise.all(got)) check(/; stored/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(origin.requests.length - before, 1, 'fetches');
  });
});
