// When the old freshet cannot say all that was purged there, the new one takes all pages for purged: each is asked for anew when the old one has crashed before it
// said anything; the cache is empty when there was more than it could keep. An upgrade whose store nobody can give up is given up itself.
// scenarios V4, V13
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': 'all', ETag: '"one"' });
let n = 0;
process.env.FRESHET_TEST_STAND = path.resolve('stand');
const stand = (when) => fs.writeFileSync(`stand.${when}`, '');
const go_on = (when) => fs.unlinkSync(`stand.${when}`);
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const hits = async (target) => /hit/.test((await ask(target)).fields['cache-status']);
  const frozen = () => soon(async () => (await freshet.api('POST', '/api/v1/tokens', '{')).status === 503); // the store is given up
  const begin = async () => {
    const from = freshet.log().length;
    freshet.signal('USR2');
    await frozen();
    return from;
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
  await cases.check('more is purged meanwhile than can be kept: the new one is empty', async () => {
    for (const p of ['/a', '/b']) await ask(p);
    check(await hits('/a'), 'stored');
    stand('opens');
    const from = await begin();
    // 8 MB of names. They are the same ones again and again: a million others would be too many for the old one, too.
    const body = JSON.stringify({ cache_tags: Array.from({ length: 10_000 }, (_, k) => k.toString(36)) }), purges = [];
    const said = () => (freshet.log().slice(from).match(/info purge: site/g) ?? []).length;
    while (purges.length < 106) {
      purges.push(freshet.api('POST', '/api/v1/purge', body));
      await soon(() => said() === purges.length);
    }
    check(await hits('/a'), 'no tag of it was purged');
    go_on('opens');
    await freshet.replaced(from);
    await freshet.saying('could not say all that was purged there: the cache was emptied');
    for (const p of purges) equal((await p).status, 202);
    const asked = origin.requests.length;
    for (const p of ['/a', '/b']) {
      check(!(await hits(p)), `${p} is there`);
      equal(origin.requests.at(-1).fields['if-none-match'], undefined, `${p} is not confirmed`);
      check(await hits(p), `${p} is stored again`);
    }
    equal(origin.requests.length, asked + 2);
    await freshet.drained();
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
      const crashed = freshet.note('pid');
      process.kill(+crashed, 'SIGKILL');
      freshet.before = { pid: crashed, orphan: true };
      await freshet.drained();
      freshet.orphan = true;
      freshet.note('pid', heir);
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
      const crashed = freshet.note('pid');
      process.kill(+crashed, 'SIGKILL');
      freshet.before = { pid: crashed, orphan: true };
      await freshet.drained();
      freshet.note('pid', /process (\d+) is started/.exec(freshet.log().slice(from))[1]);
      await soon(() => ask('/c').then(() => true, () => false));
      await freshet.gauges();
    }
  });
});
