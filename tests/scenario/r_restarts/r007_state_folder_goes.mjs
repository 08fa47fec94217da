// The state folder is deleted, or replaced by a file, while freshet runs: it serves, stores, purges and reloads its settings as before, and ends with status 0.
// scenarios Q7
import fs from 'node:fs';
import { check, equal, reply, scenario } from '../lib.mjs';

let n = 0, reloads = 0;
const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'a' });
await scenario({ answer }, async ({ ask, cases, freshet }) => {
  const works = async (what) => {
    await cases.check(`${what}: a page is stored and purged`, async () => {
      const first = (await ask('/page')).body;
      equal((await ask('/page')).body, first, 'a hit');
      equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["a"]}')).status, 202);
      check((await ask('/page')).body !== first, 'what was purged came again');
    });
    await cases.check(`${what}: a reload`, async () => {
      freshet.signal('HUP');
      await freshet.saying('main: reloaded', ++reloads);
    });
  };
  await works('at first');
  fs.rmSync('state', { recursive: true });
  await works('the folder is gone');
  fs.writeFileSync('state', 'no folder');
  await works('a file is there instead');
});
