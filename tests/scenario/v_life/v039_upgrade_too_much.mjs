// When more is purged during an upgrade than the old freshet can keep for the new one, that one begins with an empty cache, and says so.
// scenarios V13
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const answer = (r) => reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': 'all', ETag: '"one"' });
let n = 0;
process.env.FRESHET_TEST_STAND = path.resolve('stand');
const stand = (when) => fs.writeFileSync(`stand.${when}`, '');
const go_on = (when) => fs.unlinkSync(`stand.${when}`);
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, freshet, origin }) => {
  const hits = async (target) => /hit/.test((await ask(target)).fields['cache-status']);
  const frozen = () => soon(async () => (await freshet.api('POST', '/api/v1/tokens', '{')).status === 503); // the store is given up
  const begin = async () => {
    const from = freshet.log().length;
    freshet.signal('USR2');
    await frozen();
    return from;
  };
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
});
