// A newer answer that has expired keeps an older one away, which could be sent stale for longer: what starts anew and finds both on disk asks the
// origin. CACHING.md 6.9
import { equal, reply, scenario, soon } from '../lib.mjs';

const flags = ['--disk', '16M'];
let version = 'old';
const fields = { old: { Age: '60', 'Cache-Control': 's-maxage=60, stale-while-revalidate=86400' }, new: { 'Cache-Control': 's-maxage=60' } };
const answer = () => reply(version, fields[version] ?? {});
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const written = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  const page = async () => (await ask('/page')).body;
  await cases.check('an older and a newer one are on disk', async () => {
    await freshet.wall('-1h');
    equal(await page(), 'old');
    await soon(async () => (await written()).responses >= 1);
    version = 'new';
    equal(await page(), 'old'); // stale, and refreshed
    await freshet.settle();
    equal(await page(), 'new');
  });
  await cases.check('an hour later none of them is used', async () => {
    version = 'newest';
    await freshet.restart(['--origin', origin.url, ...flags]);
    equal(await page(), 'newest');
  });
});
