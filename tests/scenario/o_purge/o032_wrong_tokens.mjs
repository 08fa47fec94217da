// Many wrong tokens of an address are answered later and later, in bounded numbers, and a right one from the same address is not slowed.
// scenarios O33; hostile h3-17 (Purge API abuse)
import { Raw, check, equal, request, scenario } from '../lib.mjs';

await scenario({ flags: ['--admin', '127.0.0.1:0'] }, async ({ cases, freshet }) => {
  const port = +/admin on 127\.0\.0\.1:(\d+)/.exec(freshet.log())[1];
  const connect = () => new Raw({ host: '127.0.0.1', port });
  const post = (secret, { method = 'GET', target = '/api/v1/status', body = '' } = {}) =>
    request(target, { Host: 'a', Authorization: `Bearer ${secret}` }, { method, body });
  const right = async () => {
    const c = connect();
    await c.send(post('token-of-the-tests'));
    const [r] = await c.answers(1);
    c.close();
    return r.status;
  };
  const clients = [];
  await cases.check('the first few are answered at once', async () => {
    for (let i = 0; i < 8; i++) {
      const c = connect();
      await c.send(post(`wrong-${i}`));
      equal((await c.answers(1))[0].status, 401);
      c.close();
    }
    check(/WARNING admin: refused a wrong token from 127\.0\.0\.1/i.test(freshet.log()), freshet.log());
    check(!/wrong-\d/.test(freshet.log()), 'without the token');
  });
  await cases.check('the more came, the longer they wait', async () => {
    const some = Array.from({ length: 20 }, connect);
    for (const c of some) await c.send(post('wrong'));
    await freshet.until('requests', '>=', 10);
    await freshet.advance('5s');
    for (const c of some) {
      equal((await c.answers(1))[0].status, 401);
      c.close();
    }
  });
  await cases.check('the others wait, with a body or without', async () => {
    for (let i = 0; i < 63; i++) clients.push(connect());
    for (const [i, c] of clients.entries())
      await c.send(i % 2 ? post(`wrong-${i}`) : post(`wrong-${i}`, { method: 'POST', target: '/api/v1/purge', body: '{"site_id":"default"}' }));
    // A body that never comes is not waited for either.
    const c = connect();
    await c.send('POST /api/v1/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\nContent-Length: 100000\r\n\r\n');
    clients.push(c);
    await freshet.until('requests', '>=', 64);
    check(clients.every((k) => k.text === ''), 'none has its answer');
  });
  await cases.check('a right one beside them is answered at once', async () => {
    for (let i = 0; i < 20; i++) equal(await right(), 200);
    check(clients.every((c) => c.text === ''), 'and they still wait');
  });
  await cases.check('beyond so many, the answer is 429', async () => {
    const c = connect();
    await c.send(post('wrong'));
    const [r] = await c.answers(1);
    equal(r.status, 429);
    equal(r.fields['retry-after'], '5');
    c.close();
  });
  await cases.check('who leaves waits no more', async () => {
    for (const c of clients.splice(0, 10)) c.close();
    await freshet.until('requests', '<=', 54);
  });
  await cases.check('then they are answered', async () => {
    await freshet.advance('5s');
    for (const c of clients) {
      equal((await c.answers(1))[0].status, 401);
      c.close();
    }
  });
  await cases.check('it is counted, and forgiven', async () => {
    const metrics = async () => +/freshet_tokens_refused_total (\d+)/.exec(await (async () => {
      const c = connect();
      await c.send(request('/metrics', { Host: 'a' }));
      return (await c.answers(1))[0].body;
    })())[1];
    equal(await metrics(), 93);
    await freshet.advance('2m');
    const c = connect();
    await c.send(post('wrong'));
    equal((await c.answers(1))[0].status, 401);
    c.close();
  });
});
