// What the old freshet has to say reaches the new one, however much it is and however late that one listens: purges and invalidations from while it had
// the store, before it serves; idle connections, as long as it takes them; and an answer to an unsafe request waits until the new one knows of that one.
// scenarios V13
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const many = 400; // more messages than a socket's buffer holds
const late = { a: gate(), b: gate() };
const answer = async (r) => {
  if (r.method === 'POST' && late[r.target[1]]) await late[r.target[1]].opened;
  const vary = r.target.startsWith('/rule?') && ruled ? { 'Netlify-Vary': 'query=y' } : {};
  return reply(`${r.target} ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': r.target.replace(/^.|\?.*/g, ''), ...vary });
};
let n = 0, ruled = false;
process.env.FRESHET_TEST_STAND = path.resolve('stand');
const stand = (when) => fs.writeFileSync(`stand.${when}`, '');
const go_on = (when) => fs.unlinkSync(`stand.${when}`);
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const hits = async (target) => /hit/.test((await ask(target)).fields['cache-status']);
  const post = async (target) => equal((await ask(target, {}, { method: 'POST' })).status, 200);
  const pages = Array.from({ length: many }, (_, i) => `/page/${i}`);
  const begin = async () => {
    const from = freshet.log().length;
    freshet.signal('USR2');
    await soon(async () => (await freshet.api('POST', '/api/v1/tokens', '{')).status === 503); // the store is given up
    return from;
  };
  await cases.check('what is purged and invalidated meanwhile: before the new one serves, it knows of all', async () => {
    for (const p of pages) await ask(p);
    await ask('/purged');
    stand('opens');
    const from = await begin();
    const purge = freshet.api('POST', '/api/v1/purge', '{"cache_tags":["purged"]}');
    await freshet.saying('tag purged');
    check(!(await hits('/purged')), 'in force at once');
    for (const p of pages) await post(p);
    go_on('opens');
    await freshet.replaced(from);
    const r = await purge;
    equal(r.status, 202);
    equal(JSON.parse(r.text).durable, true);
    check(!(await hits('/purged')), 'what was purged came back');
    for (const p of pages) check(!(await hits(p)), `${p} was invalidated`);
    await freshet.drained();
  });
  await cases.check('a purge by URL means the page that the new one has, which knows another rule', async () => {
    await ask('/rule?x=1');
    check(await hits('/rule?x=1'), 'stored, with its query');
    await freshet.upgrade(); // from now on it is on disk alone
    await freshet.drained();
    stand('opens');
    const from = await begin();
    ruled = true;
    await ask('/rule?x=2'); // from now on x makes no other page here
    const purge = freshet.api('POST', '/api/v1/purge', '{"urls":["/rule?x=1"]}');
    await freshet.saying('/rule\\?x=1');
    go_on('opens');
    await freshet.replaced(from);
    equal((await purge).status, 202);
    check(!(await hits('/rule?x=1')), 'it came back');
    await freshet.drained();
  });
  await cases.check('one that does not listen: connections that it does not take are closed, purges are told until it does', async () => {
    const idle = Array.from({ length: many }, connect);
    for (const p of pages) await ask(p);
    for (const c of idle) await c.send(request('/idle'));
    for (const c of idle) await c.answers(1);
    stand('opens');
    stand('waits');
    const from = await begin();
    for (const p of pages) await post(p);
    go_on('opens');
    await freshet.saying('takes no idle connections: they are closed');
    await freshet.saying('does not listen: trying on');
    go_on('waits');
    await freshet.replaced(from);
    for (const p of pages) check(!(await hits(p)), `${p} was invalidated`);
    let given = 0;
    for (const c of idle) {
      await c.send(request('/idle'));
      await c.when('an answer or the end', () => c.ended || c.responses().filter((r) => !r.cut).length === 2);
      given += !c.ended;
      c.close();
    }
    check(given < many, `${given} were given away`); // how many depends on how much else was said before
    await freshet.drained();
  });
  await cases.check('an unsafe request at the old one: its answer waits for the answer to its own question', async () => {
    const posts = {};
    for (const name of ['a', 'b']) {
      await ask(`/${name}`);
      posts[name] = connect();
      await posts[name].send(request(`/${name}`, {}, { method: 'POST' }));
    }
    await soon(() => origin.requests.filter((r) => r.method === 'POST' && /^\/[ab]$/.test(r.target)).length === 2);
    await freshet.upgrade();
    const silent = 'has not answered that it knows of a purge';
    await freshet.stopped(async () => {
      late.a.open();
      await freshet.saying(silent);
      equal((await posts.a.answers(1))[0].status, 200);
    });
    await soon(async () => !(await hits('/a')));
    await freshet.stopped(async () => {
      late.b.open();
      await freshet.saying(silent, 2);
      equal((await posts.b.answers(1))[0].status, 200);
    });
    await soon(async () => !(await hits('/b')));
    for (const c of Object.values(posts)) c.close();
    await freshet.drained();
  });
});
