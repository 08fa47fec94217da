// Without a folder to write in, all works from memory: purges hold and say that they are not durable, one warning says what to do, and
// once the folder can be used they are durable again, with all that came before.
// scenarios Q7
import fs from 'node:fs';
import { Origin, check, equal, reply, scenario, soon } from '../lib.mjs';

const page = { 'Cache-Control': 'max-age=600', 'Cache-Tag': 'a' };
const two = await new Origin((r) => reply(`two ${r.target}`, page)).listen();
let n = 0;
fs.writeFileSync('in-the-way', 'a file where the folder should be');
await scenario({ answer: (r) => reply(`one ${r.target} ${++n}`, page), flags: ['--state', 'in-the-way'] }, async ({ ask, cases, freshet, origin }) => {
  const api = async (path, body) => { const r = await freshet.api('POST', path, JSON.stringify(body)); return { status: r.status, ...JSON.parse(r.text) }; };
  const facts = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).facts;
  await cases.check('a purge holds, and is not durable', async () => {
    equal((await ask('/')).body, 'one / 1');
    equal((await ask('/')).body, 'one / 1');
    const r = await api('/api/v1/purge', { cache_tags: ['a'] });
    equal(r.status, 202);
    equal(r.durable, false);
    equal((await ask('/')).body, 'one / 2');
    equal((await facts()).durable, false);
    check((await facts()).why.includes('not a directory'), (await facts()).why);
  });
  await cases.check('so is a deploy', async () => {
    const r = await api('/api/v1/deploy', { id: 'v2', origin: two.url });
    equal(r.live, true);
    equal(r.durable, false);
    equal((await ask('/')).body, 'two /');
  });
  await cases.check('one warning says what to do', async () => {
    const said = freshet.log().match(/cannot write in the state folder/g);
    equal(said.length, 1);
    check(/cannot write in the state folder "in-the-way".*name another folder with --state FOLDER/.test(freshet.log()), freshet.log());
  });
  await cases.check('once it can be used, all is durable', async () => {
    fs.rmSync('in-the-way');
    await soon(async () => { await freshet.turn('advance 2000'); return (await facts()).durable; });
    await freshet.saying('can be written again');
    equal((await api('/api/v1/purge', { cache_tags: ['a'] })).durable, true);
    freshet.signal('KILL');
    await soon(() => freshet.note('status') !== undefined);
    await freshet.start(['--origin', origin.url, '--state', 'in-the-way']);
    equal((await ask('/later')).body, 'two /later');
  });
});
