// While any worker still has visitors the admin listener answers: that it lives, that it is not ready, how it is doing.
// scenarios V1, V7
import { check, equal, Freshet, gate, Raw, reply, request, scenario } from '../lib.mjs';

// Each worker counts its requests from a range of its own.
const worker = (r) => Number(BigInt('0x' + /[0-9a-f]+$/.exec(r.fields['x-request-id'])) >> 48n);

const gates = {};
const answer = async ({ target }) => {
  await (gates[target] ??= gate()).opened;
  return reply('whole');
};

await scenario({ answer, flags: ['--workers', '2'] }, async ({ cases, connect, freshet, origin, arrived }) => {
  const admin = async () => {
    equal((await freshet.api('GET', '/healthz')).status, 200);
    equal((await freshet.api('GET', '/readyz')).status, 503);
    const status = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    equal(status.ready, false);
    const metrics = await freshet.api('GET', '/metrics');
    check(/^freshet_requests_open 1$/m.test(metrics.text), metrics.text);
  };
  // Two connections go to two workers: who has more gives away.
  const visitors = [connect(), connect()];
  await freshet.until('connections', '==', 2);
  await visitors[0].send(request('/0'));
  await visitors[1].send(request('/1'));
  await arrived(2);
  const first = origin.requests.find((r) => worker(r) === 0), last = origin.requests.find((r) => worker(r) === 1);
  check(first && last, 'a request for each worker');
  const kept = new Raw('admin');
  await kept.send(request('/readyz'));
  await kept.answers(1);
  freshet.signal('TERM');
  await freshet.saying('draining');
  await cases.check("the admin's worker has no visitor any more, the other one has", async () => {
    gates[first.target].open();
    const done = visitors[+first.target.slice(1)];
    equal((await done.answers(1))[0].body, 'whole');
    await done.closed();
    for (let i = 0; i < 20; i++) await admin();
  });
  await cases.check('a connection from before serves on', async () => {
    await kept.send(request('/readyz'));
    equal((await kept.answers(2))[1].status, 503);
    equal(kept.ended, false);
  });
  await cases.check('with the last visitor it ends', async () => {
    gates[last.target].open();
    equal((await visitors[+last.target.slice(1)].answers(1))[0].body, 'whole');
    await kept.closed();
    equal(await freshet.status(), '0');
    const late = new Raw('admin');
    await late.closed();
    equal(late.text, '');
  });

  await cases.check('who asks the admin for nothing does not hold up the end when drain_timeout is over', async () => {
    const short = new Freshet('short');
    await short.start(['--origin', origin.url, '--workers', '2', '--drain-timeout', '1s']);
    const held = [new Raw('short/front'), new Raw('short/front')];
    await short.until('connections', '==', 2);
    for (const [i, c] of held.entries()) await c.send(request(`/held${i}`));
    await arrived(4);
    const silent = new Raw('short/admin');
    await silent.send('GET /readyz HTTP/1.1\r\n');
    const on0 = origin.requests.slice(2).find((r) => worker(r) === 0);
    short.signal('TERM');
    gates[on0.target].open();
    for (const c of [...held, silent]) await c.closed();
    equal(await short.status(), '0');
    equal(short.log().match(/drain_timeout is over/g).length, 1);
    check(/ 1 connections? /.test(short.log()), short.log());
    await short.stop();
  });
  for (const g of Object.values(gates)) g.open();
});
