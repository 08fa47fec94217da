// The state folder is deleted, or replaced by a file, while freshet runs: it serves, stores, purges and reloads its settings as before, and ends
// with status 0. A folder that is gone is made anew, with all that must not be lost; where a file stands, purges are not durable. The sandbox knows only
// the folder that was there at the start: then a restart does that, and freshet says so.
// scenarios Q7
import fs from 'node:fs';
import { Freshet, check, equal, remove, reply, scenario, soon } from '../lib.mjs';

let n = 0, reloads = 0;
const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'a' });
await scenario({ answer, flags: ['--sandbox', 'off'] }, async ({ ask, cases, freshet, origin }) => {
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
  await remove('state');
  await works('the folder is gone', true);
  check(fs.existsSync('state/facts.0.whole'), 'it was made anew');
  await remove('state', 'no folder');
  await works('a file is there instead', false);
  await cases.check('what names nothing has nothing to be kept', async () => {
    equal(JSON.parse((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":[]}')).text).durable, true);
  });
  fs.rmSync('state');
  await soon(async () => { await freshet.turn('advance 2000'); return fs.existsSync('state/facts.0.whole'); });
  await freshet.saying('can be written again');
  await works('it can be a folder again', true);
  await cases.check('in the sandbox it needs a restart, and freshet says so', async () => {
    const held = new Freshet('held');
    const purge = async () => JSON.parse((await held.api('POST', '/api/v1/purge', '{"cache_tags":["a"]}')).text).durable;
    await held.start(['--origin', origin.url]);
    equal(await purge(), true);
    if (/does not confine/.test(held.log())) return held.stop();
    await remove('held/state');
    equal(await purge(), false);
    await held.saying('cannot write in the state folder .* needs a restart: the sandbox does not know it');
    await held.stop();
    await held.start(['--origin', origin.url]);
    equal(await purge(), true);
    await held.stop();
  });
});
