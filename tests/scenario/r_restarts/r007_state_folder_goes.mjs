// The state folder is deleted, or replaced by a file, while freshet runs: it serves, stores, purges and reloads its settings as before, and ends
// with status 0. A folder that is gone is made anew, with all that must not be lost; where a file stands, purges are not durable.
// scenarios Q7
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

let n = 0, reloads = 0;
const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'a' });
await scenario({ answer }, async ({ ask, cases, freshet }) => {
  const works = async (what, durable) => {
    await cases.check(`${what}: a page is stored and purged`, async () => {
      const first = (await ask('/page')).body;
      equal((await ask('/page')).body, first, 'a hit');
      const r = await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["a"]}');
      equal(r.status, 202);
      equal(JSON.parse(r.text).durable, durable);
      check((await ask('/page')).body !== first, 'what was purged came again');
    });
    await cases.check(`${what}: a reload`, async () => {
      freshet.signal('HUP');
      await freshet.saying('main: reloaded', ++reloads);
    });
  };
  await works('at first', true);
  fs.rmSync('state', { recursive: true });
  await works('the folder is gone', true);
  check(fs.existsSync('state/facts.0.whole'), 'it was made anew');
  fs.rmSync('state', { recursive: true });
  fs.writeFileSync('state', 'no folder');
  await works('a file is there instead', false);
  await cases.check('what names nothing has nothing to be kept', async () => {
    equal(JSON.parse((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":[]}')).text).durable, true);
  });
  fs.rmSync('state');
  await soon(async () => { await freshet.turn('advance 2000'); return fs.existsSync('state/facts.0.whole'); });
  await freshet.saying('can be written again');
  await works('it can be a folder again', true);
});
