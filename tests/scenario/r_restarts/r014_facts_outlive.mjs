// What must not be lost outlives the process, whatever ends it: numbers of purges only grow, and the release that was live stays live,
// with its origin, and with the one that a rollback returns to.
// scenarios O10
import fs from 'node:fs';
import { Origin, check, equal, reply, scenario, soon } from '../lib.mjs';

const page = { 'Cache-Control': 'max-age=600' };
const two = await new Origin((r) => reply(`two ${r.target}`, page)).listen();
const three = await new Origin((r) => reply(`three ${r.target}`, page)).listen();
let first;
const yaml = (url) => { first = url; return `sites:\n  shop:\n    hosts: [test]\n    origin: ${url}`; };
const config = (url) => `sites:\n  shop:\n    hosts: [test]\n    origin: ${url}`;
await scenario({ answer: (r) => reply(`one ${r.target}`, page), yaml }, async ({ ask, cases, freshet }) => {
  const api = async (path, body) => { const r = await freshet.api('POST', path, JSON.stringify(body)); return { status: r.status, ...JSON.parse(r.text) }; };
  const site = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).sites[0];
  const restart = async (signal, url = first) => {
    freshet.signal(signal);
    await soon(() => freshet.note('status') !== undefined);
    await freshet.start(['--yaml', config(url)]);
  };
  const names = ['KILL', 'TERM'];
  for (const signal of names) {
    await cases.check(`${signal}: a purge is on disk before it is answered, and numbers grow`, async () => {
      let last = 0;
      for (let i = 0; i < 3; i++) {
        for (const body of [{ cache_tags: ['a', 'b'] }, { urls: ['/x'] }, {}, { cache_tags: ['c'], soft: true }]) {
          const r = await api('/api/v1/purge', body);
          equal(r.status, 202);
          equal(r.durable, true);
          check(r.sequence > last, `${r.sequence} after ${last}`);
          last = r.sequence;
        }
        await restart(signal);
      }
    });
  }
  for (const signal of names) {
    await cases.check(`${signal}: the live release stays live`, async () => {
      equal((await api('/api/v1/deploy', { id: `v2-${signal}`, origin: two.url })).durable, true);
      equal((await api('/api/v1/deploy', { id: `v3-${signal}`, origin: three.url })).durable, true);
      const before = await site();
      await restart(signal);
      equal((await ask(`/${signal}`)).body, `three /${signal}`);
      const after = await site();
      equal(JSON.stringify(after.deploy), JSON.stringify(before.deploy));
      equal(after.deployed, before.deployed);
      equal(after.deploys, before.deploys);
    });
    await cases.check(`${signal}: a rollback after it returns to the one before, and holds`, async () => {
      equal((await api('/api/v1/deploy', { rollback: true })).deploy.id, `v2-${signal}`);
      await restart(signal);
      equal((await ask(`/${signal}/2`)).body, `two /${signal}/2`);
      const r = await api('/api/v1/deploy', { id: `v4-${signal}`, origin: three.url });
      check(r.deploy.release > (await site()).rollback_to.release, 'no number comes twice');
    });
  }
  await cases.check('a configuration that names another origin counts, and that is said', async () => {
    await restart('TERM', two.url);
    equal((await ask('/moved')).body, 'two /moved');
    await freshet.saying('the file names another origin than before');
    await restart('KILL', two.url);
    equal((await ask('/moved/2')).body, 'two /moved/2');
    equal(freshet.log().match(/names another origin/g).length, 1);
  });
  await cases.check('what cannot be read is put aside, said, and nothing else is lost', async () => {
    freshet.signal('KILL');
    await soon(() => freshet.note('status') !== undefined);
    const files = fs.readdirSync('state').filter((f) => /^facts\.\d\.whole$/.test(f));
    for (const f of files) fs.writeFileSync(`state/${f}`, 'this is no snapshot'.repeat(1000));
    await freshet.start(['--yaml', config(first)]);
    await freshet.saying('were put aside');
    equal((await ask('/again')).body, 'one /again');
    equal((await api('/api/v1/purge', { cache_tags: ['a'] })).durable, true);
    for (const f of files) check(fs.existsSync(`state/${f}.damaged`), fs.readdirSync('state').join(' '));
  });
});
