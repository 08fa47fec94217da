// A purge by URL takes every spelling of it: case of the host, default port, percent-encoding, order of parameters; without a
// query everything of the path, with one what that URL is answered with.
// scenarios O8, CACHING.md 5.3, 4.1, 4.3
import { equal, reply, scenario } from '../lib.mjs';

let n = 0;
await scenario({ answer: () => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60' }) }, async ({ ask, cases, freshet }) => {
  const rows = [
    ['http://EXAMPLE.org/a', ['/a', 'example.org'], true],
    ['http://example.org:80/a', ['/a', 'example.org'], true],
    ['http://example.org/%61', ['/a', 'example.org'], true],
    ['http://example.org/x/../a', ['/a', 'example.org'], true],
    ['http://example.org./a', ['/a', 'example.org'], true],
    ['http://example.org/a', ['/a?x=1', 'example.org'], true],
    ['http://example.org/a?x=1&y=2', ['/a?y=2&x=1', 'example.org'], true],
    ['http://example.org/a?x=1', ['/a?x=2', 'example.org'], false],
    ['http://example.org/a?x=1', ['/a', 'example.org'], false],
    ['http://example.org/b', ['/a', 'example.org'], false],
    ['http://example.org/a/', ['/a', 'example.org'], false],
    ['http://other.org/a', ['/a', 'example.org'], false],
    ['http://example.org/A', ['/a', 'example.org'], false],
    // A path alone is of every host and port.
    ['/a', ['/a', 'example.org'], true],
    ['/%61', ['/a?x=1', 'other.org:8080'], true],
    ['/a?x=1', ['/a?x=1', 'example.org'], true],
    ['/b', ['/a', 'example.org'], false],
  ];
  for (const [url, [target, host], gone] of rows) {
    await cases.check(`${url} ${gone ? 'takes' : 'leaves'} ${target}`, async () => {
      const before = (await ask(target, { Host: host })).body;
      equal((await ask(target, { Host: host })).body, before, 'stored');
      equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: [url] }))).status, 202, 'status');
      equal((await ask(target, { Host: host })).body !== before, gone, 'gone');
    });
  }
  await cases.check('something that is no URL is 400', async () => {
    for (const url of ['', 'no url', 'http://', 'http://example.org/%zz', 'ftp://example.org/', 'http://example.org/a\nb']) {
      equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: [url] }))).status, 400, url);
    }
  });
});
