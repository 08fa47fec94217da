// What a rule forced onto a page does not outlive the answer that it matched: a 304 that says private takes the page away. A redirect
// whose capture is thousands of slashes costs no more than another, and leads to no other host.
// CACHING.md 8.2
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => r.fields['if-none-match']
  ? ['HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nX-Public: no\r\nCache-Control: private, no-store\r\n\r\n']
  : reply('page', { ETag: '"a"', 'X-Public': 'yes' });
const yaml = (url) => `origin: ${url}\nrules:\n  - path: /page\n    response_header: 'X-Public: yes'\n    cdn_cache_control: max-age=60\n` +
  "  - path: '/old/**'\n    redirect: '/{1}'\n";
await scenario({ answer, yaml }, async ({ ask, cases, freshet, origin }) => {
  await cases.check('a 304 that makes it private is heard', async () => {
    check(/stored/.test((await ask('/page')).fields['cache-status']), 'stored by the rule');
    await freshet.advance('61s');
    const r = await ask('/page');
    check(!/; stored/.test(r.fields['cache-status']), r.fields['cache-status']);
    const before = origin.requests.length;
    await ask('/page');
    equal(origin.requests.length, before + 1, 'the next one asks the origin');
  });
  await cases.check('slashes without end', async () => {
    for (const slash of ['\\', '/', '%5C', '\\/']) {
      const r = await ask(`/old/${slash.repeat(5000 / slash.length)}evil.test/`);
      check(r.status < 500, `${r.status}`);
      check(!/^\/[\\/]/.test(r.fields.location ?? '/'), r.fields.location?.slice(0, 40));
    }
  });
});
