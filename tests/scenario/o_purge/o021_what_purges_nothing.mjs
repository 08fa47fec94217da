// A purge is answered with 202 when it does something: a tag is found in UTF-8 and in the Latin-1 that Node writes, and what could find
// nothing is refused with a sentence that says why, by API and program alike.
// CACHING.md 5.1, 5.3
import { check, equal, reply, scenario } from '../lib.mjs';

const tags = { utf8: Buffer.from('kategorie-möbel').toString('latin1'), latin1: 'kategorie-m\xf6bel', upper: 'KATEGORIE-m\xf6BEL', euro: Buffer.from('€').toString('latin1') };
const answer = (r) => reply('x', { 'Cache-Control': 'max-age=60', 'Cache-Tag': tags[r.target.slice(1)] ?? 'none' });
await scenario({ answer }, async ({ ask, cases, freshet }) => {
  const stored = async (path) => (await ask(path)).fields['cache-status'].startsWith('freshet; hit');
  const purge = (body) => freshet.api('POST', '/api/v1/purge', JSON.stringify(body));
  for (const by of ['api', 'program']) {
    for (const [path, tag] of [['/utf8', 'kategorie-möbel'], ['/latin1', 'kategorie-möbel'], ['/upper', 'Kategorie-möbel'], ['/euro', '€']]) {
      await cases.check(`${path}, by ${by}`, async () => {
        await ask(path);
        await ask('/other');
        if (by === 'api') equal((await purge({ cache_tags: [tag] })).status, 202);
        else equal(freshet.run('purge', '--tag', tag).status, 0);
        equal(await stored(path), false, 'gone');
        equal(await stored('/other'), true, 'the other page');
      });
    }
  }
  const long = 'x'.repeat(1025);
  const rows = [[{ urls: ['http://test/wild/*'] }, 'freshet purge --prefix', ['--url', 'http://test/wild/*']], [{ urls: ['/wild/*'] }, 'name it in prefixes', ['--url', '/wild/*']], [{ urls: ['http://test/?page=*'] }, 'is no pattern', ['--url', 'http://test/?page=*']],
    [{ urls: ['//test/a'] }, 'begins with //', ['--url', '//test/a']], [{ cache_tags: [','] }, 'nothing but commas', ['--tag', ',']], [{ cache_tags: [''] }, 'nothing but empty strings', null], [{ cache_tags: ['', ' '] }, 'nothing but empty strings', null],
    [{ prefixes: ['/wild/*'] }, 'everything below it is purged', ['--prefix', '/wild/*']], [{ prefixes: ['/wild/?a=1'] }, 'has a query', ['--prefix', '/wild/?a=1']], [{ prefixes: ['wild/'] }, 'begins with neither', ['--prefix', 'wild/']],
    [{ cache_tags: [long] }, 'longer than 1024 bytes', ['--tag', long]], [{ urls: [''] }, 'is empty', null], [{ tag: ['a'] }, 'unknown member', null]];
  for (const [body, says, args] of rows) {
    await cases.check(JSON.stringify(body).slice(0, 60), async () => {
      await ask('/kept');
      const r = await purge(body);
      equal(r.status, 400);
      check(r.text.includes(says), r.text);
      if (args) {
        const p = freshet.run('purge', ...args);
        equal(p.status, 2, 'exit code');
        check((p.stdout + p.stderr).includes(says), p.stdout + p.stderr);
      }
      equal(await stored('/kept'), true, 'nothing was purged');
    });
  }
  await cases.check('an empty list is said to be one', async () => {
    const r = await purge({ cache_tags: [] });
    equal(r.status, 202);
    check(r.text.includes('nothing, the list is empty'), r.text);
  });
  await cases.check('a * of the address itself', async () => {
    for (const path of ['/a*b', '/a%2Ab', '/a%2ab']) await ask(path);
    equal((await purge({ urls: ['http://test/a%2Ab'] })).status, 202);
    for (const path of ['/a*b', '/a%2Ab', '/a%2ab']) equal(await stored(path), false, path);
  });
});
