// A purge of everything under load: nothing older is served after it, hits go on, and the origin has no more to do at once than it may.
// scenarios O17
import { check, equal, gate, reply, scenario, soon } from '../lib.mjs';

const pages = 40;
const limit = 4;
let held = null; // while it is there, the origin answers nothing
let open = 0;
let most = 0;
let version = 1; // of the data behind the pages
const answer = async (r) => {
  const body = `${r.target} ${version}`;
  most = Math.max(most, ++open);
  await (held && r.target !== '/0' ? held.opened : new Promise(setImmediate));
  open--;
  return reply(body, { 'Cache-Control': 'max-age=600', 'Cache-Tag': 'x' });
};

await scenario({ answer, flags: ['--origin-connections', String(limit)] }, async ({ ask, connect, cases, freshet, origin }) => {
  const purge = async () => {
    version++;
    equal((await freshet.api('POST', '/api/v1/purge', '{"site_id": "default"}')).status, 202);
  };
  const each = Array.from({ length: pages }, (_, i) => `/${i}`);
  await Promise.all(each.map((p) => ask(p)));
  await cases.check('all are stored', async () => {
    equal(origin.requests.length, pages);
    for (const p of each) equal((await ask(p)).body, `${p} 1`);
    equal(origin.requests.length, pages);
  });

  await purge();
  held = gate();
  most = 0;
  origin.requests.length = 0;
  equal((await ask('/0')).body, '/0 2');
  const herd = each.slice(1).flatMap((p) => [p, p, p]).map((p) => ask(p));
  await freshet.until('requests', '==', herd.length);
  await soon(() => open >= limit);
  await cases.check('the origin has as many requests as it may, the others wait', () => equal(origin.requests.length, 1 + limit));
  await cases.check('a hit waits for none of them', async () => {
    const r = await ask('/0');
    equal(r.body, '/0 2');
    check(/^freshet; hit/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  held.open();
  held = null;
  await cases.check('everybody is answered, with what is new', async () => {
    for (const r of await Promise.all(herd)) check(r.status === 200 && / 2$/.test(r.body), `${r.status} ${r.body}`);
  });
  await cases.check('each page was made once', () => equal(origin.requests.length, pages));
  await cases.check('never more at once than allowed', () => equal(most, limit));

  // Visitors who never pause, and twenty purges among them.
  most = 0;
  origin.requests.length = 0;
  let over = false;
  let answered = 0;
  let n = 0;
  let oldest = version; // what may still be seen
  const wrong = [];
  const visitor = async () => {
    const c = connect();
    while (!over) {
      const page = each[n++ % pages];
      const least = oldest;
      c.text = '';
      await c.send(`GET ${page} HTTP/1.1\r\nHost: test\r\n\r\n`);
      const [r] = await c.answers();
      const [of, was] = r.body.split(' ');
      if (r.status !== 200 || of !== page || +was < least) wrong.push(`${r.status} ${r.body} for ${page}, least ${least}`);
      answered++;
    }
    c.close();
  };
  const visitors = Array.from({ length: 30 }, visitor);
  const purges = 20;
  for (let i = 0; i < purges; i++) {
    const before = answered;
    await soon(() => answered >= before + 2 * pages); // they go on, whatever was purged
    await purge();
    oldest = version;
  }
  over = true;
  await Promise.all(visitors);
  await cases.check('nothing older than the latest purge before the request', () => equal(wrong.slice(0, 3).join('; '), ''));
  await cases.check('no purge costs more than each page once', () => check(origin.requests.length <= pages * (purges + 1), `${origin.requests.length} requests`));
  await cases.check('never more at once than allowed, in between either', () => check(most <= limit, `${most}`));
});
