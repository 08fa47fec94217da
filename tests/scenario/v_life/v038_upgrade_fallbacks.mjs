// When the old freshet crashes before it has said what was purged there, at whatever moment, the new one serves, and takes all pages for purged: each is asked for
// anew. An upgrade whose store nobody can give up is given up itself.
// scenarios V4, V13
import fs from 'node:fs';
import path from 'node:path';
import { lives } from '../../process.mjs';
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': 'all', ETag: '"one"' });
let n = 0;
process.env.FRESHET_TEST_STAND = path.resolve('stand');
const stand = (when) => fs.writeFileSync(`stand.${when}`, '');
const go_on = (when) => fs.unlinkSync(`stand.${when}`);
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const hits = async (target) => /hit/.test((await ask(target)).fields['cache-status']);
  const frozen = () => soon(async () => (await freshet.api('POST', '/api/v1/tokens', '{')).status === 503); // the store is given up
  const crash = async (heir) => {
    const { orphan } = freshet, pid = freshet.note('pid');
    process.kill(+pid, 'SIGKILL');
    await soon(() => (orphan ? !lives(pid) : freshet.note('status') !== undefined));
    fs.rmSync('status', { force: true }); // of the first one
    freshet.orphan = true;
    freshet.note('pid', heir);
  };
  await cases.check('a worker that stands cannot give the store up: after half a minute the upgrade is', async () => {
    await ask('/kept');
    // A connection of the worker that has no admin listener.
    let c;
    for (let i = 0; i < 100 && !c; i++) {
      const before = freshet.log().length, some = connect();
      await freshet.turn('stand 60000');
      await some.send(request('/stands'));
      await soon(() => /worker [01] stands for more/.test(freshet.log().slice(before)));
      if (/worker 1 stands/.test(freshet.log().slice(before))) c = some;
      else {
        await freshet.turn('stand 0');
        await some.answers(1);
        some.close();
      }
    }
    const from = freshet.log().length;
    freshet.signal('USR2');
    await frozen();
    const late = freshet.turn('advance 31000'); // is over when all workers have seen it
    await freshet.saying('a worker of this one has stood for 30 seconds');
    await freshet.turn('stand 0');
    await late;
    await c.answers(1);
    c.close();
    check(await hits('/kept'), 'it serves');
    equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["none"]}')).status, 202);
    check(!freshet.log().slice(from).includes('serves; this one ends'), 'no other serves');
  });
  // Before it has the store, and with it: whatever the old one wanted to say is lost.
  for (const when of ['prepares', 'opens'])
    await cases.check(`the old one crashes while the new one ${when}: that one serves, and asks for each page anew`, async () => {
      for (const p of ['/c', '/d']) await ask(p);
      await freshet.settle();
      stand(when);
      const from = freshet.log().length;
      freshet.signal('USR2');
      await soon(() => freshet.log().slice(from).includes(`freshet: it ${when}`));
      const heir = /process (\d+) is started/.exec(freshet.log().slice(from))[1];
      equal((await ask('/c', {}, { method: 'POST' })).status, 200); // invalidates it, here alone
      await crash(heir);
      go_on(when);
      await soon(() => freshet.log().slice(from).includes('could not say all that was purged there: the cache is asked for anew, page by page'));
      for (const p of ['/c', '/d']) {
        const asked = origin.requests.length;
        await soon(() => ask(p).then(() => true, () => false)); // its sockets were passed: nobody is refused
        equal(origin.requests.length, asked + 1, `${p}: requests`);
        check(await hits(p), `${p} is a hit again`);
      }
    });
  await cases.check('the old one crashes at any other moment: the new one has its folder, and serves', async () => {
    for (let i = 0; i < 12; i++) {
      const from = freshet.log().length;
      freshet.signal('USR2');
      await soon(() => freshet.log().slice(from).includes('freshet: it prepares'));
      await new Promise((r) => setTimeout(r, i * 8)); // whenever that is, it is right
      await crash(/process (\d+) is started/.exec(freshet.log().slice(from))[1]);
      await soon(() => ask('/c').then(() => true, () => false));
      await freshet.gauges();
    }
  });
});
