// A disk that stands, for as long as it likes, holds up nobody: hits from memory go on, and what is not stored yet is fetched and kept in memory.
// When it moves again, what has waited is written.
// scenarios Q9
import { equal, reply, scenario, soon } from '../lib.mjs';
import { Disk } from '../disk.mjs';

const disk = new Disk();
const body = (target) => `${target} ${'x'.repeat(20_000)}`;
const answer = (r) => reply(body(r.target), { 'Cache-Control': 's-maxage=86400', 'Cache-Tag': 'a' });
const flags = ['--disk', '32M', '--disk-rate', '0', '--memory', '64M', '--sandbox', 'off'];
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const written = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk.responses;
  const some = async (name, n) => {
    for (let i = 0; i < n; i++) equal((await ask(`/${name}/${i}`)).body, body(`/${name}/${i}`));
  };
  await some('before', 10);
  await soon(async () => (await written()) >= 10);
  disk.gets('stands');
  await cases.check('while a write stands, hits and misses are answered', async () => {
    await some('while', 1);
    await disk.is_waited_for();
    await some('while', 50);
    const n = origin.requests.length;
    for (let i = 0; i < 20; i++) {
      await some('before', 10);
      await some('while', 50);
    }
    equal(origin.requests.length, n);
  });
  await cases.check('a purge is in force at once, and waits to be durable', async () => {
    const purge = freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['a'] }));
    await freshet.saying('info purge: site default: tag a');
    const n = origin.requests.length;
    await some('before', 1);
    equal(origin.requests.length, n + 1);
    disk.is_well();
    equal(JSON.parse((await purge).text).durable, true);
  });
  await cases.check('when it moves again, what has waited is written', async () => {
    await some('after', 10);
    await soon(async () => (await written()) >= 11);
  });
});
