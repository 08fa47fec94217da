// A range of a cold page: the origin is asked for the whole page once, which is stored; the range comes out of it, also while
// it arrives. A hundred such requests cost one.
// scenarios H7, H9, CACHING.md 3.7, 6.2
// also over tls, h2
import { equal, reply, scenario } from '../lib.mjs';

let release;
const held = new Promise((r) => (release = r));
const body = 'x'.repeat(500_000) + 'tail';
const answer = async (r) => {
  if (r.target === '/many') await held;
  return reply(body, { 'Cache-Control': 'max-age=60' });
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  await cases.check('the first bytes', async () => {
    const r = await ask('/', { Range: 'bytes=0-9' });
    equal(`${r.status} ${r.fields['content-range']} ${r.body}`, `206 bytes 0-9/500004 ${'x'.repeat(10)}`);
  });
  await cases.check('the whole page was asked for', () => equal(origin.requests[0].fields.range, undefined));
  await freshet.settle();
  await cases.check('the last bytes are a hit', async () => equal((await ask('/', { Range: 'bytes=-4' })).body, 'tail'));
  await cases.check('one request', () => equal(origin.requests.length, 1));
  const all = Array.from({ length: 100 }, () => ask('/many', { Range: 'bytes=-4' }));
  await freshet.until('requests', '==', 100);
  release();
  for (const r of await Promise.all(all)) await cases.check('the tail of it', () => equal(`${r.status} ${r.body}`, '206 tail'));
  await cases.check('one request more', () => equal(origin.requests.length, 2));
});
