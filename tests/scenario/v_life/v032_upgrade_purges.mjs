// What is purged or invalidated while one freshet takes over from another counts at both: an answered purge is never undone, whichever of them was asked,
// and an unsafe request that the old one still has invalidates at the new one before it is answered.
// scenarios V13
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const gates = { post: gate(), purge: gate() };
const answer = async (r) => {
  if (r.method === 'POST') await gates.post.opened;
  return reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': 'all' });
};
let n = 0;
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, connect, freshet, origin }) => {
  await cases.check('a purge just before', async () => {
    const first = (await ask('/just')).body;
    equal((await freshet.api('POST', '/api/v1/purge', '{"urls":["/just"]}')).status, 202);
    await freshet.upgrade();
    check((await ask('/just')).body !== first, 'it came back');
    await freshet.drained();
  });
  await cases.check('an unsafe request that the old one has: its answer invalidates at the new one first', async () => {
    const before = (await ask('/post')).body;
    const post = connect();
    await post.send(request('/post', {}, { method: 'POST', body: 'x' }));
    await soon(() => origin.requests.some((r) => r.method === 'POST'));
    await freshet.upgrade();
    equal((await ask('/post')).body, before, 'a hit at the new one');
    gates.post.open();
    equal((await post.answers(1))[0].status, 200);
    const after = await ask('/post');
    check(after.body !== before, `stale: ${after.fields['cache-status']}`);
    post.close();
    await freshet.drained();
  });
  await cases.check('a purge whose body the old one is still reading is refused, with when to ask again', async () => {
    const before = (await ask('/half')).body;
    const c = connect();
    const body = '{"cache_tags":["all"]}';
    const { Raw } = await import('../lib.mjs');
    const admin = new Raw('admin');
    const open = (await freshet.gauges()).client_connections_open;
    await admin.send(`POST /api/v1/purge HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-of-the-tests\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
    await soon(async () => (await freshet.gauges()).requests_open >= 0 && open >= 0);
    await freshet.upgrade();
    await admin.send(body.slice(5));
    const [r] = await admin.answers(1);
    if (r.status === 202) check((await ask('/half')).body !== before, 'it said 202');
    else {
      equal(r.status, 503);
      equal(r.fields['retry-after'], '1');
      check(/ask once more/.test(r.body), r.body);
      equal((await ask('/half')).body, before, 'nothing was purged');
    }
    // The connection goes on at the new one.
    await admin.send(request('/api/v1/upgrade', { Authorization: 'Bearer token-of-the-tests' }));
    equal(JSON.parse((await admin.answers(2)).at(-1).body).pid, +freshet.note('pid'));
    admin.close();
    c.close();
    await freshet.drained();
  });
  await cases.check('purges all the time, upgrades all the time: none that was answered is undone', async () => {
    let over = false, refused = 0, made = 0;
    const purger = (async () => {
      while (!over) {
        const page = `/p${made % 5}`;
        const before = (await ask(page)).body;
        const r = await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: [page] }));
        if (r.status === 503) { refused++; continue; }
        equal(r.status, 202);
        equal(JSON.parse(r.text).durable, true);
        check((await ask(page)).body !== before, `${page} came back after it was purged`);
        made++;
      }
    })();
    for (let i = 0; i < 4; i++) {
      const had = made;
      await freshet.upgrade();
      await freshet.drained();
      await soon(() => made > had + 3);
    }
    over = true;
    await purger;
  });
});
