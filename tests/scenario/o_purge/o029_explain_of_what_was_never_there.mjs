// After a purge explain says of a page that it was purged when something of it was there, and of no other URL.
// CACHING.md 5.4
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = () => reply('x', { 'Cache-Control': 'max-age=60', 'Cache-Tag': 't' });
await scenario({ answer }, async ({ ask, cases, freshet }) => {
  const reason = async (path) => JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent(`http://test${path}`)}`)).text);
  for (const [what, ...args] of [['everything', '--all'], ['what is below a path', '--prefix', '/a'], ['a URL', '--url', 'http://test/a/never']]) {
    await cases.check(`${what}: a URL that nobody asked for`, async () => {
      await ask('/a/there');
      equal(freshet.run('purge', ...args).status, 0);
      const never = await reason('/a/never');
      equal(never.outcome, 'miss');
      check(never.reason !== 'purged' && !never.text.includes('purged'), JSON.stringify(never));
      if (what !== 'a URL') equal((await reason('/a/there')).reason, 'purged');
      await ask('/a/there');
    });
  }
});
