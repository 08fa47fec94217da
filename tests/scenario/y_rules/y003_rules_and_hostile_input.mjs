// What a rule forced onto a page does not outlive the answer that it matched: a 304 that says private takes the page away. A redirect
// whose capture is thousands of slashes costs no more than another, and leads to no other host.
// CACHING.md 8.2
import { check, equal, reply, scenario } from '../lib.mjs';

// A page of ten bytes that turns private behind its first half.
const part = (r) => {
  const [, from, to = '9'] = /^bytes=(\d+)-(\d+)?/.exec(r.fields.range ?? 'bytes=0-') ?? [];
  const body = '0123456789'.slice(+from, +to + 1), cc = +from ? 'Cache-Control: private\r\n' : '';
  return [`HTTP/1.1 206 Partial Content\r\nETag: "p"\r\nContent-Range: bytes ${from}-${to}/10\r\n${cc}Content-Length: ${body.length}\r\n\r\n${body}`];
};
const answer = (r) => r.target === '/part'
  ? part(r)
  : r.fields['if-none-match']
  ? ['HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nX-Public: no\r\nCache-Control: private, no-store\r\n\r\n']
  : reply('page', { ETag: '"a"', 'X-Public': 'yes' });
const yaml = (url) => `origin: ${url}\ncombine_parts: true\nrules:\n  - path: /part\n    default_cdn_cache_control: max-age=60\n  - path: /page\n    response_header: 'X-Public: yes'\n    cdn_cache_control: max-age=60\n` +
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
  await cases.check('so is the rest of a part that says so', async () => {
    check(/stored/.test((await ask('/part', { Range: 'bytes=0-4' })).fields['cache-status']), 'the part is stored by the rule');
    const r = await ask('/part');
    equal(r.body, '0123456789');
    equal(origin.requests.at(-1).fields.range, 'bytes=5-', 'only the rest is asked for');
    check(!/; stored/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  await cases.check('slashes without end', async () => {
    for (const slash of ['\\', '/', '\\/']) {
      const r = await ask(`/old/${slash.repeat(5000 / slash.length)}evil.test/`);
      equal(`${r.status} ${r.fields.location}`, '301 /evil.test/', slash);
    }
    const coded = await ask(`/old/${'%5C'.repeat(1000)}evil.test/`);
    equal(`${coded.status} ${coded.fields.location}`, `301 /${'%5C'.repeat(1000)}evil.test/`, 'these are no slashes');
  });
});
