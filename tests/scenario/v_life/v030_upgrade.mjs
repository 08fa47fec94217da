// A new process takes over listening sockets and store (SIGUSR2): what was stored is a hit from its first answer on, idle connections live on,
// what was begun is answered, no request fails.
// scenarios V12
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const later = gate();
const answer = async (r) => {
  if (r.target === '/slow') await later.opened;
  return reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600', 'Cache-Tag': 'a' });
};
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '1h'] }, async ({ ask, cases, connect, freshet, origin }) => {
  for (let i = 0; i < 20; i++) await ask(`/${i}`);
  const kept = connect();
  await kept.send(request('/1'));
  await kept.answers(1);
  const slow = connect();
  await slow.send(request('/slow'));
  await soon(() => origin.requests.length === 21);
  const part = connect(); // half of a head
  await part.send('GET /2 HTTP/1.1\r\nHo');
  await freshet.until('connections', '==', 3);
  const first = freshet.note('pid');
  await cases.check('another process serves', async () => {
    await freshet.upgrade();
    check(freshet.note('pid') !== first, 'the same process');
    equal(JSON.parse((await freshet.api('GET', '/api/v1/upgrade')).text).pid, +freshet.note('pid'));
  });
  await cases.check('what was stored is a hit', async () => {
    for (let i = 0; i < 20; i++) {
      const r = await ask(`/${i}`);
      equal(r.body, `page /${i}`);
      check(/hit/.test(r.fields['cache-status']), `${i}: ${r.fields['cache-status']}`);
    }
    equal(origin.requests.length, 21);
  });
  await cases.check('an idle connection is the new one\'s', async () => {
    await kept.send(request('/3'));
    const r = (await kept.answers(2)).at(-1);
    equal(r.body, 'page /3');
    check(/hit/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(origin.requests.length, 21);
  });
  await cases.check('what was begun is answered, and its connection goes on at the new one', async () => {
    later.open();
    equal((await slow.answers(1))[0].body, 'page /slow');
    await slow.send(request('/4'));
    const r = (await slow.answers(2)).at(-1);
    check(/hit/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  await cases.check('a head that came in part is answered by the old one, from the origin', async () => {
    const before = origin.requests.length;
    await part.send('st: test\r\n\r\n');
    const [r] = await part.answers(1);
    equal(r.body, 'page /2');
    check(/detail=handed-over/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(origin.requests.length, before + 1);
    await part.send(request('/5'));
    check(/hit/.test((await part.answers(2)).at(-1).fields['cache-status']), 'and the connection goes on');
  });
  await cases.check('the old one ends', () => freshet.drained());
  await cases.check('a purge at the new one', async () => {
    const r = await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["a"]}');
    equal(r.status, 202);
    equal(JSON.parse(r.text).durable, true);
    check(!/hit/.test((await ask('/6')).fields['cache-status']), 'what was purged');
  });
  await cases.check('and once more', async () => {
    await ask('/7');
    await freshet.upgrade();
    await freshet.drained();
    check(/hit/.test((await ask('/7')).fields['cache-status']), 'stored by the second');
    check(!/hit/.test((await ask('/8')).fields['cache-status']), 'purged at the second');
  });
  for (const c of [kept, slow, part]) c.close();
});
