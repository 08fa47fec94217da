// A loop that stands for more than a second is named in the log with the request that it is in, once, and with how long it took at the end; it is counted.
// scenarios V8, U13
import { check, equal, request, scenario } from '../lib.mjs';

await scenario({ flags: ['--workers', '2'] }, async ({ ask, connect, cases, freshet }) => {
  const lines = () => freshet.log().split('\n').filter((l) => / watchdog: /.test(l));
  const log = async (text) => { await freshet.saying(text); return lines(); };
  await cases.check('while all loops move, nothing is said', async () => {
    for (let i = 0; i < 50; i++) await ask(`/${i}`);
    equal(lines().length, 0);
    equal((await freshet.gauges()).loop_stands_total, 0);
  });
  await cases.check('a worker that stands is named with its request, before it moves again', async () => {
    await freshet.turn('stand 2500');
    const c = connect();
    await c.send(request('/slow/page?secret=1', { 'X-Request-Id': 'my-id' }));
    const began = await log('stands for more than a second');
    check(/ warning watchdog: worker [01] stands for more than a second, in GET \/slow\/page; nobody on it is served$/.test(began[0]), began[0]);
    equal(c.text, '', 'the answer');
    await c.answers(1);
    c.close();
  });
  await cases.check('at its end with its id, and how long it took', async () => {
    const [began, ended, ...more] = await log('moves again');
    const m = / warning watchdog: (worker [01]) moves again; it stood for (\d+)\.\d s, in GET \/slow\/page, request my-id$/.exec(ended);
    check(m && began.includes(`: ${m[1]} stands`), ended);
    // Of 2.5: less by a rest of the watch, and for as long as the watch was kept from the processor itself.
    check(+m[2] >= 1 && +m[2] < 20, `it took ${m[2]} s`);
    equal(more.length, 0);
    check(!freshet.log().includes('secret'), 'no query is in the log');
  });
  await cases.check('it is counted, in status and in metrics', async () => {
    equal((await freshet.gauges()).loop_stands_total, 1);
    equal(JSON.parse((await freshet.api('GET', '/api/v1/status')).text).counters.loop_stands_total, 1);
    check(/^freshet_loop_stands_total 1$/m.test((await freshet.api('GET', '/metrics')).text), 'metrics');
  });
  await cases.check("main's loop is looked at, too", async () => {
    await freshet.turn('stand-here 2500');
    await freshet.until('loop_stands_total', '==', 2);
    const all = await log('main moves again');
    check(/main stands for more than a second, in no request; /.test(all[2]), all[2]);
    check(/main moves again; it stood for \d\.\d s, in no request$/.test(all[3]), all[3]);
  });
  await cases.check('what is shorter is none', async () => {
    await freshet.turn('stand 300');
    await ask('/short');
    equal((await freshet.gauges()).loop_stands_total, 2);
  });
  await cases.check('a process that was stopped as a whole did not stand', async () => {
    await freshet.stopped(() => new Promise((r) => setTimeout(r, 2500)));
    await ask('/again');
    equal((await freshet.gauges()).loop_stands_total, 2);
  });
});
