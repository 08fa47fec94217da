// Fields by which a framework's own parts talk to each other come from no visitor, whatever their name; and a request for data is another
// page than the one at its URL, under every rule.
// CACHING.md 4.8; hostile h3-12 (ISR specific)
import { check, equal, reply, scenario } from '../lib.mjs';

const families = ['x-middleware-prefetch', 'x-middleware-subrequest', 'x-middleware-rewrite', 'x-middleware-anything', 'x-invoke-path', 'x-invoke-status', 'x-invoke-query', 'x-matched-path', 'x-now-route-matches',
  'x-now-id', 'x-vercel-id', 'x-vercel-ip-country', 'x-vercel-internal-anything', 'next-resume', 'x-next-resume-state-length'];
const spellings = (name) => [name, name.toUpperCase(), name.replaceAll('-', '_'), name.replace('-', '_')];
const answer = (r) => {
  const data = r.fields['x-nextjs-data'] !== undefined;
  // GHSA-3g8h-86w9-wvmq: a redirect of a middleware, asked for as data, has no Location.
  if (r.target.startsWith('/moved')) return reply('', { ...(data ? { 'x-nextjs-redirect': '/login' } : { Location: '/login' }), 'Cache-Control': 's-maxage=60',
    ...(r.target.startsWith('/moved/rule') ? { 'Netlify-Vary': 'query=a' } : {}) }, '307 Temporary Redirect');
  return reply(JSON.stringify(Object.keys(r.fields)), { 'Cache-Control': 'max-age=60' });
};
await scenario({ answer }, async ({ ask, cases, origin }) => {
  for (const name of families) {
    for (const [i, spelled] of spellings(name).entries()) {
      await cases.check(`${spelled} is removed`, async () => {
        // A name that CGI would take for one of ours is refused or removed.
        const r = await ask(`/f/${name}/${i}`, { [spelled]: '1', 'X-Mine': 'a' });
        if (r.status === 400) return;
        const got = JSON.parse(r.body);
        check(!got.includes(spelled.toLowerCase()), `${got}`);
        check(got.includes('x-mine'), `${got}`);
        await ask(`/f/${name}/${i}`, { [spelled]: '1' }, { method: 'POST', body: 'x' });
        equal(origin.requests.at(-1).fields[spelled.toLowerCase()], undefined, 'passed');
      });
    }
  }
  await cases.check('a request for data without a value is one too', async () => {
    equal((await ask('/moved?empty', { 'x-nextjs-data': '' })).fields.location, undefined);
    equal((await ask('/moved?empty')).fields.location, '/login');
    equal((await ask('/moved?empty', { 'X-NEXTJS-DATA': '' })).fields['cache-status'].startsWith('freshet; hit'), true);
  });
  await cases.check('one that Connection lists is none', async () => {
    equal((await ask('/moved?listed', { 'x-nextjs-data': '1', Connection: 'x-nextjs-data' })).fields.location, '/login');
    equal((await ask('/moved?listed')).fields['cache-status'].startsWith('freshet; hit'), true);
  });
  for (const [path, query] of [['/moved/plain', ''], ['/moved/plain', '?a=1'], ['/moved/rule', '?a=1'], ['/moved/rule', '']]) {
    for (const dataFirst of [true, false]) {
      await cases.check(`${path}${query}: ${dataFirst ? 'the data' : 'the page'} first`, async () => {
        const target = `${path}/${dataFirst}${query}`;
        const order = dataFirst ? [true, false, true, false] : [false, true, false, true];
        for (const data of order) {
          const r = await ask(target, data ? { 'x-nextjs-data': '1' } : {});
          equal(r.fields.location, data ? undefined : '/login', 'Location');
          equal(r.fields['x-nextjs-redirect'], data ? '/login' : undefined, 'x-nextjs-redirect');
        }
        equal(origin.requests.filter((r) => r.target === target).length, 2, 'fetches');
      });
    }
  }
});
