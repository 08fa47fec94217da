// A long body that waits to be written is replaced by a newer one, and again: the newest is written in the end, is a hit meanwhile and after a restart,
// and nobody asks the origin for it once more.
// CACHING.md 6.9
import { check, equal, reply, scenario, soon } from '../lib.mjs';

let edition = 0, lasts = 86400;
const body = (target, n) => `${target} ${n} `.repeat(150_000);
const answer = (r) => reply(body(r.target, edition), { 'Cache-Control': `s-maxage=${lasts}` });
const flags = ['--disk', '64M', '--disk-rate', '1M', '--memory', '32M'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  const is = (r, n, what) => check(r.body === body('/film', n), `${what}: ${r.body.slice(0, 20)}, ${r.body.length} bytes`);
  const written = () => soon(async () => (await disk()).long_waiting === 0, 60_000);
  lasts = 30;
  await cases.check('an older one is on disk', async () => {
    is(await ask('/film'), 0, 'the first');
    await written();
  });
  await cases.check('two editions come while others are before them', async () => {
    lasts = 86400;
    for (const p of ['/one', '/two', '/three']) await ask(p);
    for (edition = 1; ; edition++) {
      lasts = edition === 3 ? 86400 : 30;
      await freshet.advance('31s');
      const { body: text } = await freshet.settle().then(() => ask('/film'));
      await freshet.settle(); // it was stale, and is renewed behind it
      check(text.startsWith('/film'), 'a film');
      if (edition === 3) break;
    }
    is(await ask('/film'), 3, 'the newest');
  });
  await cases.check('the newest is written, and stays a hit', async () => {
    await written();
    await soon(async () => (await disk()).owed === 0);
    const n = origin.requests.length;
    const r = await ask('/film');
    is(r, 3, 'a hit');
    check(/^freshet; hit/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal((await disk()).superseded, 0, 'invalidations');
    equal(origin.requests.length, n);
  });
  await cases.check('after a restart, too', async () => {
    await freshet.restart(['--origin', origin.url, ...flags]);
    const n = origin.requests.length;
    is(await ask('/film'), 3, 'a hit');
    equal(origin.requests.length, n);
  });
});
