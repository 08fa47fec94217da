// A deploy switches a site's release when the origin answers its check, and not before; no page of the release before is served
// from then on, not even one that was on its way; what fails changes nothing; a rollback finds its pages again.
// CACHING.md 5.9
import fs from 'node:fs';
import { Origin, check, equal, gate, reply, scenario, soon } from '../lib.mjs';

const page = { 'Cache-Control': 'max-age=600, stale-while-revalidate=600, stale-if-error=600' };
let hold; // of the old origin: asked, go
const app = (name) => async (r) => {
  if (name === 'one' && r.target === '/slow' && hold) { hold.asked.open(); await hold.go.opened; }
  if (r.target === '/shared') return reply(`${name} shared`, { ...page, 'Netlify-Cache-ID': 'shared' });
  if (r.target === '/down') return reply('no', {}, '503 Service Unavailable');
  return reply(`${name} ${r.target}`, page);
};
const two = await new Origin(app('two')).listen();
await scenario({ answer: app('one'), flags: ['--access-log', 'access.log'] }, async ({ ask, cases, origin, freshet }) => {
  const status = async (target) => { const a = await ask(target); return `${a.body}: ${a.fields['cache-status']}`; };
  const site = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).sites[0];
  const deploy = async (body) => { const r = await freshet.api('POST', '/api/v1/deploy', JSON.stringify(body)); return { status: r.status, ...JSON.parse(r.text) }; };

  await cases.check('a check that fails changes nothing', async () => {
    equal(await status('/a'), 'one /a: freshet; fwd=uri-miss; stored');
    const r = await deploy({ id: 'v2', origin: two.url, check: '/down', wait: '0s' });
    equal(r.status, 502);
    check(r.message.includes(`${two.url} answered /down with status 503; nothing has changed`), r.message);
    const p = await freshet.verb('deploy', '--id', 'v2', '--origin', 'http://127.0.0.1:1', '--wait', '0s');
    equal(p.status, 1);
    check(/127\.0\.0\.1:1 did not answer \/: the origin does not accept connections; nothing has changed/.test(p.stderr), p.stderr);
    const no_path = await freshet.verb('deploy', '--id', 'v2', '--check', 'down');
    equal(no_path.status, 2);
    check(/check: "down" begins with neither .* as a path it begins with \/; write \/books\/1/.test(no_path.stderr), no_path.stderr);
    check((await status('/a')).startsWith('one /a: freshet; hit'), 'as before');
    equal((await site()).deploy.id, null);
  });
  await cases.check('a deploy: the pages of before are gone, those with a cache ID stay', async () => {
    await ask('/shared');
    hold = { asked: gate(), go: gate() };
    const began = ask('/slow');
    await hold.asked.opened;
    const p = await freshet.verb('deploy', '--id', 'v2', '--origin', two.url, '--check', '/healthz');
    equal(p.status, 0, p.stderr);
    check(p.stdout.startsWith('v2 is live (release '), p.stdout);
    equal(two.requests[0].target, '/down');
    equal(two.requests[1].target, '/healthz');
    equal(await status('/a'), 'two /a: freshet; fwd=vary-miss; stored');
    equal((await site()).deploy.id, 'v2');
    equal((await site()).origin, two.url);
    const said = freshet.run('status').stdout;
    check(/deploy v2 \(release \d+\) since .*; --rollback goes back to that of the start/.test(said), said);
    check(/deploy +v2/.test(freshet.run('explain', 'http://test/a').stdout), 'explain names it');
    check((await status('/shared')).startsWith('one shared: freshet; hit; ttl='), 'a page with a cache ID');
    // What began stays with its origin until its end, and is not for those who came later.
    const late = ask('/slow');
    equal((await late).body, 'two /slow');
    hold.go.open();
    hold = undefined;
    equal((await began).body, 'one /slow');
    check((await status('/slow')).startsWith('two /slow: freshet; hit'), await status('/slow'));
  });
  await cases.check('the access log names the release', async () => {
    await soon(() => fs.readFileSync('access.log', 'utf8').includes('"deploy":"v2"'));
  });
  await cases.check('the name of the live deploy does nothing', async () => {
    const n = two.requests.length, r = await deploy({ id: 'v2' });
    equal(r.status, 200);
    equal(r.was_live, true);
    equal(two.requests.length, n);
  });
  await cases.check('a page of before is not served when the origin fails', async () => {
    await ask('/gone');
    equal((await deploy({ id: 'v3' })).status, 200);
    await two.close();
    const a = await ask('/gone');
    equal(a.status, 502);
    check(a.fields['cache-status'].includes('detail=connect-failed'), a.fields['cache-status']);
    await two.listen(two.port);
  });
  await cases.check('rollbacks find the pages of before, with their origin, and end at the first release', async () => {
    const p = await freshet.verb('deploy', '--rollback');
    equal(p.status, 0, p.stderr);
    check(p.stdout.startsWith('rolled back: v2 is live'), p.stdout);
    check((await status('/a')).startsWith('two /a: freshet; hit'), 'v2');
    equal((await deploy({ rollback: true })).deploy.id, null);
    check((await status('/a')).startsWith('one /a: freshet; hit'), 'the first');
    equal((await site()).origin, origin.url);
    const r = await deploy({ rollback: true });
    equal(r.status, 409);
    check(r.message.includes('no release to go back to'), r.message);
  });
  await cases.check('a purge while another release was live holds after a rollback', async () => {
    await deploy({ id: 'v4', origin: two.url });
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: ['http://test/a'] }))).status, 202);
    await deploy({ rollback: true });
    check((await status('/a')).includes('fwd='), 'purged');
  });
  await cases.check('a reload leaves the live release and its origin', async () => {
    await deploy({ id: 'v5', origin: two.url });
    await ask('/a');
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    check((await status('/a')).startsWith('two /a: freshet; hit'), await status('/a'));
  });
  await cases.check('what is wrong with a question is said', async () => {
    for (const [body, words] of [
      ['{"idd": "x"}', 'did you mean \\"id\\"'], ['{"wait": "soon"}', 'wait must be a time'], ['{"site": "shop"}', 'no site has the name'],
      ['{"origin": "ftp://x"}', 'origin'], ['{"rollback": true, "id": "x"}', 'leave out id and origin'], ['{"warm": ["top:0"]}', 'top:'],
      ['{"warm": "sitemap"}', 'must be a list'], ['{"url": "/x"}', 'https://shop.example'], ['{"keep": "99d"}', 'keep must be a time'], ['', 'empty'],
    ]) {
      const r = await freshet.api('POST', '/api/v1/deploy', body);
      check([400, 404].includes(r.status) && r.text.includes(words), `${body}: ${r.status} ${r.text}`);
    }
    equal((await freshet.api('POST', '/api/v1/deploy', '{}', { authorization: 'Bearer no' })).status, 401);
    equal((await site()).deploy.id, 'v5');
  });
});
await two.close();
