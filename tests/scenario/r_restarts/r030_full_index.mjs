// The index of what is on disk has an eighth of the memory. When it is full, the oldest pages leave the disk for new ones, which is said once, with what
// helps; a page is never another one, and what left is not back after a restart.
// CACHING.md 6.9
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const body = (target) => `${target} ${'x'.repeat(300)}`;
const answer = (r) => reply(body(r.target), { 'Cache-Control': 's-maxage=86400' });
const flags = ['--disk', '16M', '--disk-rate', '0', '--memory', '1M'];
const pages = Array.from({ length: 9000 }, (_, i) => `/${i}`), room = (1 << 20) / 256;
await scenario({ answer, flags }, async ({ connect, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  // Returns how many of them the origin was asked for.
  const ask_for = async (targets) => {
    const before = origin.requests.length;
    for (let i = 0; i < targets.length; i += 50) {
      const some = targets.slice(i, i + 50), c = connect();
      await c.send(some.map((p) => request(p)).join(''));
      (await c.answers(some.length)).forEach((r, k) => equal(r.body, body(some[k])));
      c.close();
    }
    return origin.requests.length - before;
  };
  await cases.check('more pages than it has room for: it says so once', async () => {
    equal(await ask_for(pages), pages.length);
    const said = freshet.log().match(/the index of the pages on disk is full with 4096 entries: the oldest pages leave the disk for new ones\. .*--memory/g);
    equal(said?.length, 1, freshet.log());
    const now = await disk();
    check(now.responses <= room && now.dropped > 0, JSON.stringify(now));
  });
  await cases.check('the latest are written, as soon as others have left', async () => {
    const latest = pages.slice(-200);
    equal(await ask_for(latest), 0, 'asked again');
    await freshet.restart(['--origin', origin.url, ...flags]);
    check((await disk()).responses <= room);
    equal(await ask_for(latest), 0, 'asked again after a restart');
  });
  await cases.check('the oldest have left, and are not back', async () => {
    equal(await ask_for(pages.slice(0, 200)), 200);
    await soon(async () => (await disk()).responses <= room);
  });
});
