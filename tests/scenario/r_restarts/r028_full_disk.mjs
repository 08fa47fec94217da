// The disk gets full in the middle of a body: its client gets all of it, and everybody after him; what has no room is not stored there, which is counted and said
// once; purges hold, and say that they are not durable. When there is room again storing goes on by itself, and purges are durable.
// scenarios Q1
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';
import { Disk } from '../disk.mjs';

const disk = new Disk(), full = gate();
const body = (target) => `${target} ${'x'.repeat(target === '/long' ? 3_000_000 : 60_000)}`;
const fields = (target) => ({ 'Cache-Control': 's-maxage=86400', 'Cache-Tag': target.split('/')[1] });
const answer = (r) => {
  const all = reply(body(r.target), fields(r.target)), half = all.length >> 1;
  return r.target === '/long' ? [all.slice(0, half), full.opened.then(() => all.slice(half))] : all;
};
const flags = ['--disk', '32M', '--disk-rate', '0', '--memory', '64M', '--sandbox', 'off'];
await scenario({ answer, flags }, async ({ ask, connect, cases, freshet, origin }) => {
  const status = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
  const purge = async (tag) => JSON.parse((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: [tag] }))).text);
  const said = (pattern) => (freshet.log().match(pattern) ?? []).length;
  const some = async (name, n) => {
    for (let i = 0; i < n; i++) equal((await ask(`/${name}/${i}`)).body, body(`/${name}/${i}`));
  };
  await cases.check('before, all is written', async () => {
    await some('before', 20);
    await soon(async () => (await status()).disk.responses >= 20);
  });
  await cases.check('who is in the middle of a body gets all of it', async () => {
    const c = connect();
    await c.send(request('/long'));
    await soon(() => c.text.length > 500_000);
    disk.gets('full');
    full.open();
    equal((await c.answers(1))[0].body, body('/long'));
    c.close();
  });
  await cases.check('so does everybody else, and it is counted and said', async () => {
    await some('while', 40);
    await soon(async () => { const d = (await status()).disk; return d.failing && d.faults > 0; });
    await some('while', 40);
    const n = origin.requests.length;
    await some('before', 20);
    equal(origin.requests.length, n, 'those of before are hits');
    equal(said(/cannot write: no space left on device; pages are kept in memory only/g), 1, freshet.log());
  });
  await cases.check('a purge holds, and is not durable', async () => {
    const r = await purge('before');
    equal(r.durable, false);
    equal((await purge('nothing')).durable, false);
    equal(said(/cannot write in the state folder "state": no space left on device/g), 1, freshet.log());
    const n = origin.requests.length;
    await some('before', 1);
    equal(origin.requests.length, n + 1);
  });
  await cases.check('with room again, purges are durable and pages are stored', async () => {
    disk.is_well();
    await freshet.meanwhile('2s', async () => { const s = await status(); return s.facts.durable && !s.disk.failing; });
    equal((await purge('nothing')).durable, true);
    equal(said(/pages are written to disk again/g), 1, freshet.log());
    await some('after', 20);
    await freshet.settle();
    const before = (await status()).disk.responses;
    check(before >= 20, `${before} responses`);
  });
  await cases.check('which the next one finds', async () => {
    await freshet.restart(['--origin', origin.url, ...flags]);
    const n = origin.requests.length;
    await some('after', 20);
    equal(origin.requests.length, n);
    await some('before', 20); // but for those, which were purged
    equal(origin.requests.length, n + 20 - 1);
  });
});
