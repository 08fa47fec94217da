// The index of what is on disk has an eighth of the memory. When it is full, further pages are in memory alone, which is counted and said once, with what helps;
// all that it has stays a hit, and nothing is wrong.
// CACHING.md 6.9
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const body = (target) => `${target} ${'x'.repeat(300)}`;
const answer = (r) => reply(body(r.target), { 'Cache-Control': 's-maxage=86400' });
const flags = ['--disk', '16M', '--disk-rate', '0', '--memory', '1M'];
const pages = Array.from({ length: 4300 }, (_, i) => `/${i}`), room = (1 << 20) / 256;
await scenario({ answer, flags }, async ({ connect, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  const all = async () => {
    for (let i = 0; i < pages.length; i += 50) {
      const some = pages.slice(i, i + 50), c = connect();
      await c.send(some.map((p) => request(p)).join(''));
      (await c.answers(some.length)).forEach((r, k) => equal(r.body, body(some[k])));
      c.close();
    }
  };
  await cases.check('what has no room there is counted, and said once', async () => {
    await all();
    await soon(async () => (await disk()).responses === room);
    check((await disk()).dropped > 0);
    const said = freshet.log().match(/the index of the pages on disk is full with 4096 entries: .*--memory/g);
    equal(said?.length, 1, freshet.log());
  });
  await cases.check('what it has is a hit, and the rest is asked for', async () => {
    const n = origin.requests.length;
    await all();
    const again = origin.requests.length - n;
    check(again >= pages.length - room - 200 && again < 1000, `${again} asked again`);
    equal((await disk()).responses, room);
  });
});
