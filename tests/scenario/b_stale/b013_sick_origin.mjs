// An origin that failed five times in a row, over a second or more, is sick: what may be served stale on an error is served at once, one
// page tries now and then in the background, and with the first answer all is as before. Many failures of one moment are no sickness.
// scenarios B13, T8; CACHING.md 3.5
import { check, equal, reply, scenario } from '../lib.mjs';

// What counts as a failure, in turn.
const failures = [500, 502, 503, 504];
let mode = 'well';
let wait, release;
const hold = () => (wait = new Promise((r) => (release = r)));
const answer = async (r) => {
  if (mode === 'hangs') await wait;
  if (mode !== 'well') return `HTTP/1.1 ${r.target === '/strict' ? 503 : failures[served_failures++ % failures.length]} Sick\r\nContent-Length: 4\r\n\r\nsick`;
  return reply(`${r.target} ${++served}`, { 'Cache-Control': r.target === '/strict' ? 's-maxage=10' : 's-maxage=10, stale-if-error=3600' });
};
let served = 0, served_failures = 0;
await scenario({ answer, flags: ['--refresh-backoff', '5s'] }, async ({ ask, cases, freshet, origin }) => {
  const pages = Array.from({ length: 8 }, (_, i) => `/${i + 1}`);
  for (const p of [...pages, '/strict']) await ask(p);
  const asked = () => origin.requests.length - pages.length - 1;
  const stale = async (p) => {
    const r = await ask(p);
    equal(r.status, 200);
    equal(r.body.split(' ')[0], p);
    check(/detail=stale-error/.test(r.fields['cache-status']), r.fields['cache-status']);
  };
  await freshet.advance('15s');
  mode = 'fails';
  const health = async () => /"health": ?"(\w+)"/.exec((await freshet.api('GET', '/api/v1/status')).text)?.[1];
  await cases.check('twenty failures of one moment', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`/broken/${i}`)));
    equal(await health(), 'failing');
    mode = 'well';
    equal((await ask('/broken/0')).status, 200);
    mode = 'fails';
    origin.requests.splice(-21);
  });
  for (const [i, p] of pages.slice(0, 5).entries())
    await cases.check('a failing origin is asked first', async () => {
      if (i === 4) await freshet.advance('1s');
      await stale(p);
      equal(asked(), i + 1, 'requests at the origin');
    });
  await cases.check('the status calls it sick', async () => equal(await health(), 'sick'));
  await cases.check('and says why', async () => check((await freshet.api('GET', '/api/v1/status')).text.includes('"last_reason": "origin-error"'), 'another reason'));
  mode = 'hangs';
  hold();
  await cases.check('a sick one is not waited for', () => stale('/6'));
  await freshet.until('fetches', '==', 1);
  await cases.check('one page tries', async () => {
    await stale('/7');
    await stale('/6');
    equal(asked(), 6, 'requests at the origin');
  });
  release();
  await freshet.settle();
  await cases.check('in vain: nobody tries for a while', async () => {
    for (const p of pages) await stale(p);
    equal(asked(), 6, 'requests at the origin');
  });
  mode = 'fails';
  await cases.check('what may not be stale is asked for', async () => {
    equal((await ask('/strict')).status, 503);
    equal(asked(), 7, 'requests at the origin');
  });
  await freshet.advance('6s');
  mode = 'well';
  await cases.check('then one tries again', async () => {
    await stale('/8');
    await freshet.settle();
    equal(asked(), 8, 'requests at the origin');
    equal((await ask('/8')).body, '/8 11');
  });
  await cases.check('well again: the others are fetched', async () => {
    equal((await ask('/1')).body, '/1 12');
    equal((await ask('/7')).body, '/7 13');
    equal(await health(), 'good');
  });
});
