// A purge of a path's prefix takes what is at it and below it, stored or on its way, in every variant, and leaves the rest; the program
// and the API say so.
// CACHING.md 5.3, 5.4
import { check, equal, gate, reply, scenario } from '../lib.mjs';

let n = 0;
let hold;
const answer = async (r) => {
  const page = reply(`page ${++n}`, { 'Cache-Control': 'max-age=60, stale-while-revalidate=60', Vary: 'Accept-Language' });
  if (r.target === '/blog/slow') { hold.asked.open(); await hold.go.opened; }
  return page;
};
await scenario({ answer }, async ({ ask, cases, freshet }) => {
  const pages = [['/blog/', {}], ['/blog/a?page=2', {}], ['/blog/a', { 'Accept-Language': 'de' }], ['/blog/2026/11/a.html', {}], ['/blog', {}]];
  const others = [['/', {}], ['/blogger', {}], ['/x/blog/', {}], ['/Blog/', {}]];
  const fetched = async (list) => { for (const [target, fields] of list) await ask(target, fields); };
  const hit = async ([target, fields]) => (await ask(target, fields)).fields['cache-status'];
  await cases.check('by API', async () => {
    await fetched([...pages, ...others]);
    const r = await freshet.api('POST', '/api/v1/purge', JSON.stringify({ prefixes: ['/blog/'] }));
    equal(r.status, 202);
    check(r.text.includes('site default: everything below /blog/'), r.text);
    for (const p of others) check((await hit(p)).startsWith('freshet; hit'), p[0]);
    for (const p of pages) check((await hit(p)).includes('fwd='), p[0]);
  });
  await cases.check('by the program, softly', async () => {
    await fetched([...pages, ...others]);
    const p = freshet.run('purge', '--prefix', 'http://test/blog', '--soft');
    equal(p.status, 0, p.stderr);
    check(p.stdout.includes('everything below http://test/blog (soft)'), p.stdout);
    for (const p of others) check(/^freshet; hit; ttl=[0-9]/.test(await hit(p)), p[0]);
    for (const p of pages) check(/^freshet; hit.*(ttl=-|ttl=0|refreshing)/.test(await hit(p)), `${p[0]}: ${await hit(p)}`);
  });
  await cases.check('of another host nothing goes', async () => {
    await fetched(pages);
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ prefixes: ['http://other.example/'] }))).status, 202);
    for (const p of pages) check((await hit(p)).startsWith('freshet; hit'), p[0]);
  });
  await cases.check('an answer on its way is not stored, and explain says that it was purged', async () => {
    hold = { asked: gate(), go: gate() };
    const first = ask('/blog/slow');
    await hold.asked.opened;
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ prefixes: ['/blog'] }))).status, 202);
    hold.go.open();
    await first;
    const said = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/blog/slow')}`);
    equal(JSON.parse(said.text).stored, null);
    equal(JSON.parse(said.text).reason, 'purged');
    check((await hit(['/blog/slow', {}])).includes('fwd='), 'asked again');
  });
});
