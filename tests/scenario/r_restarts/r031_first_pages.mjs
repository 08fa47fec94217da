// A page that comes while the first segment is being made cannot be written at once: it is written as soon as there is room, not with a later walk
// over all that memory has, so that a crash some seconds later does not lose it.
// CACHING.md 6.9
import fs from 'node:fs';
import { reply, scenario, soon } from '../lib.mjs';

const answer = (r) => reply(r.target, { 'Cache-Control': 's-maxage=86400' });
const flags = ['--disk', '16M', '--disk-rate', '1M'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  for (let n = 0; n < 3; n++)
    await cases.check(`an empty state folder, ${n}`, async () => {
      await freshet.settle();
      freshet.signal('TERM');
      await freshet.status();
      fs.rmSync('ended');
      fs.rmSync('state', { recursive: true });
      await freshet.start(['--origin', origin.url, ...flags]);
      await ask('/first');
      await soon(async () => (await disk()).responses === 1, 25_000); // the walk comes once a minute
    });
});
