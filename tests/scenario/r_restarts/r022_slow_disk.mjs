// A disk that takes far less than is stored holds up nobody: hits come from memory, what it could not take is counted, is tried again when
// it can, and is a miss after a restart; never another page.
// CACHING.md 6.9
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const flags = ['--disk', '32M', '--disk-rate', '1M', '--memory', '64M'];
const body = (target) => `${target} ${'x'.repeat(60_000)}`;
const answer = (r) => reply(body(r.target), { 'Cache-Control': 's-maxage=86400' });
const pages = Array.from({ length: 150 }, (_, i) => `/${i}`);
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  await cases.check('what does not fit is dropped, and counted', async () => {
    for (const p of pages) equal((await ask(p)).body, body(p));
    await soon(async () => (await disk()).dropped > 0);
  });
  await cases.check('it is tried again when the disk can take some, and every page is a hit meanwhile', async () => {
    await soon(async () => (await disk()).responses > 10);
    const n = origin.requests.length;
    for (const p of pages) equal((await ask(p)).body, body(p));
    equal(origin.requests.length, n);
  });
  await cases.check('it ends in time, and the next one has whole pages or none', async () => {
    await freshet.restart(['--origin', origin.url, ...flags]);
    const n = origin.requests.length;
    for (const p of pages) equal((await ask(p)).body, body(p));
    const again = origin.requests.length - n;
    check(again > 0 && again < pages.length, `${again} asked again`);
  });
});
