// A plugin that has only freshet's address sends the purge there, with that address or freshet's own port as the host. No visitor's page
// has such a host: the page is purged that visitors see, on whatever host, never nothing with a 200.
// CACHING.md 5.7
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`page of ${r.fields.host}`, { 'Cache-Control': 's-maxage=60' });
await scenario({ answer, yaml: (url) => `origin: ${url}\npurge_from: [unix]\n` }, async ({ ask, cases, freshet }) => {
  for (const host of ['127.0.0.1:8080', '127.0.0.1', '[::1]:8080', 'localhost', 'localhost:3000'])
    await cases.check(`${host} is any host`, async () => {
      await ask('/a', { Host: 'www.example.com' });
      await ask('/b', { Host: 'www.example.com' });
      equal((await ask('/a', { Host: host }, { method: 'PURGE' })).status, 200);
      check(/uri-miss|stored/.test((await ask('/a', { Host: 'www.example.com' })).fields['cache-status']), 'purged');
      check(/; hit/.test((await ask('/b', { Host: 'www.example.com' })).fields['cache-status']), 'the other page stays');
    });
  await cases.check('on the admin listener too, whose own address nobody visits', async () => {
    await ask('/a', { Host: 'www.example.com' });
    const r = await freshet.api('PURGE', '/a', undefined, { host: '127.0.0.1:8081' });
    equal(r.status, 200, r.text);
    check(!/; hit/.test((await ask('/a', { Host: 'www.example.com' })).fields['cache-status']), 'purged');
  });
  await cases.check('a named host is that host', async () => {
    await ask('/a', { Host: 'www.example.com' });
    await ask('/a', { Host: '1x.example' });
    equal((await ask('/a', { Host: '1x.example' }, { method: 'PURGE' })).status, 200);
    check(/; hit/.test((await ask('/a', { Host: 'www.example.com' })).fields['cache-status']), 'the other host stays');
  });
  await freshet.settle();
});
await scenario({ answer, yaml: (url) => `sites:\n  one:\n    hosts: [127.0.0.1, www.example.com]\n    origin: ${url}\n    purge_from: [unix]\n` }, async ({ ask, cases }) => {
  await cases.check('an address that is a host of the site is that host', async () => {
    for (const host of ['127.0.0.1', 'www.example.com']) await ask('/a', { Host: host });
    equal((await ask('/a', { Host: '127.0.0.1' }, { method: 'PURGE' })).status, 200);
    check(/; hit/.test((await ask('/a', { Host: 'www.example.com' })).fields['cache-status']), 'the other host stays');
    check(!/; hit/.test((await ask('/a', { Host: '127.0.0.1' })).fields['cache-status']), 'this one goes');
  });
});
