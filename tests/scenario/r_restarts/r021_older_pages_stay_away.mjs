// What is on disk is never older than what memory has had: when a newer answer is too long for the disk, may not be stored, or came under
// another rule, the older one does not come back, neither when memory is short nor after a restart.
// CACHING.md 6.9
import { equal, check, reply, scenario, soon } from '../lib.mjs';

const flags = ['--disk', '16M', '--memory', '16M', '--object-bytes', '4M'];
const long = 'y'.repeat(1_500_000);
let age = 'old';
const answer = (r) => {
  const path = r.target.split('?')[0], fields = { 'Cache-Control': 's-maxage=86400', ETag: `"${age}"` };
  if (path === '/long') return reply(age === 'old' ? 'old' : long, fields);
  if (path === '/private') return reply(age, age === 'old' ? { 'Cache-Control': 's-maxage=5, stale-while-revalidate=86400' } : { 'Cache-Control': 'private' });
  if (path === '/gone') return age === 'old' ? reply('old', { 'Cache-Control': 's-maxage=5, stale-while-revalidate=86400' }) : reply('', {}, '404 Not Found');
  if (path === '/rule') return reply(`${age} ${r.fields['accept-language'] ?? '-'}`, { ...fields, ...(age === 'old' ? {} : { Vary: 'Accept-Language' }) });
  return reply(age, fields);
};
await scenario({ answer, flags }, async ({ ask, cases, freshet, origin }) => {
  const disk = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).disk;
  const all = ['/long', '/private', '/gone', '/rule'];
  const again = () => freshet.restart(['--origin', origin.url, ...flags]);
  await cases.check('all are on disk', async () => {
    for (const p of all) await ask(p);
    await soon(async () => (await disk()).responses >= all.length);
  });
  await cases.check('a longer answer, one that is private, none, and one of another rule', async () => {
    age = 'new';
    equal((await freshet.api('POST', '/api/v1/purge', '{"urls":["http://test/long","http://test/rule"]}')).status, 202);
    equal((await ask('/long')).body.length, long.length);
    await freshet.advance('10s');
    for (const p of ['/private', '/gone']) {
      equal((await ask(p)).body, 'old', p); // stale, and refreshed
      await freshet.settle();
      check(!/old/.test((await ask(p)).body), p);
    }
    equal((await ask('/rule', { 'Accept-Language': 'de' })).body, 'new de');
    equal((await ask('/rule', { 'Accept-Language': 'fr' })).body, 'new fr');
  });
  const nothingIsOld = async () => {
    equal((await ask('/long')).body.length, long.length);
    equal((await ask('/private')).body, 'new');
    equal((await ask('/gone')).status, 404);
    equal((await ask('/rule', { 'Accept-Language': 'de' })).body, 'new de');
    equal((await ask('/rule', { 'Accept-Language': 'en' })).body, 'new en');
    equal((await ask('/rule')).body, 'new -');
  };
  await cases.check('now', nothingIsOld);
  await cases.check('after a restart', async () => { await again(); await nothingIsOld(); });
  await cases.check('and after another', async () => { await again(); await nothingIsOld(); });
  await cases.check('a newer page that was too long once is stored on disk again when it is short', async () => {
    age = 'old';
    equal((await freshet.api('POST', '/api/v1/purge', '{"urls":["http://test/long"]}')).status, 202);
    equal((await ask('/long')).body, 'old');
    await again();
    const n = origin.requests.length;
    equal((await ask('/long')).body, 'old');
    equal(origin.requests.length, n);
  });
});
