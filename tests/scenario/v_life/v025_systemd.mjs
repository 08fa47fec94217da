// What supervises it (systemd, by sd_notify's protocol) is told that it serves, reloads and stops; and that all is well only while all loops move.
// scenarios V9
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, request, scenario, soon, supervisor } from '../lib.mjs';

const told = [];
const count = (what) => told.filter((t) => t.text.startsWith(what)).length;
const monotonic = () => Number(process.hrtime.bigint() / 1000n);

const socket = path.resolve('notify');
const systemd = await supervisor(socket, told);
process.env.NOTIFY_SOCKET = socket;
process.env.WATCHDOG_USEC = '1600000'; // so it is told every 0.8 s
const yaml = (origin) => `sites: {shop: {origin: "${origin}"}}\n`;
await scenario({ yaml, flags: ['--workers', '2'] }, async ({ ask, connect, cases, freshet, origin }) => {
  await cases.check('READY=1, once it serves', async () => {
    await soon(() => count('READY=1'));
    equal(count('READY=1'), 1);
    equal((await ask('/')).status, 200);
  });
  await cases.check('WATCHDOG=1 again and again, while all loops move', () => soon(() => count('WATCHDOG=1') >= 4));
  await cases.check('not while a worker stands, though the others move', async () => {
    await freshet.turn('stand 4000');
    const c = connect();
    await c.send(request('/slow'));
    await freshet.saying('stands for more than a second');
    const before = count('WATCHDOG=1');
    await freshet.saying('moves again');
    // Those that were told before it was seen to stand may arrive late, no others.
    equal(count('WATCHDOG=1') - before <= 1, true, 'what was told meanwhile');
    await c.answers(1);
    c.close();
    const after = count('WATCHDOG=1');
    await soon(() => count('WATCHDOG=1') > after + 1);
  });
  await cases.check('RELOADING=1 with the time, then READY=1', async () => {
    const from = told.length;
    const sent = monotonic();
    freshet.signal('HUP');
    await soon(() => told.slice(from).some((t) => t.text.startsWith('READY=1')));
    const all = told.slice(from).map((t) => t.text).filter((t) => t !== 'WATCHDOG=1');
    const m = /^RELOADING=1\|MONOTONIC_USEC=(\d+)$/.exec(all[0]);
    check(m && +m[1] >= sent && +m[1] <= monotonic(), `${all} since ${sent}`);
    equal(all.slice(1).join(), 'READY=1');
  });
  await cases.check('the same for a configuration with mistakes', async () => {
    const from = told.length;
    fs.writeFileSync('config.yaml', 'sites: 5\n');
    freshet.signal('HUP');
    await soon(() => told.slice(from).some((t) => t.text.startsWith('READY=1')));
    const all = told.slice(from).map((t) => t.text).filter((t) => t !== 'WATCHDOG=1');
    check(/^RELOADING=1\|/.test(all[0]) && /^READY=1\|STATUS=The new configuration has errors/.test(all[1]), `${all}`);
    equal((await ask('/')).status, 200);
  });
  await cases.check('STOPPING=1 at its end', async () => {
    freshet.signal('TERM');
    equal(await freshet.status(), '0');
    await soon(() => count('STOPPING=1'));
    equal(count('STOPPING=1'), 1);
  });
  await cases.check('an abstract socket does, and without WATCHDOG_USEC nothing is asked for', async () => {
    told.length = 0;
    process.env.NOTIFY_SOCKET = `@freshet-test-${process.pid}`;
    delete process.env.WATCHDOG_USEC;
    const other = await supervisor(process.env.NOTIFY_SOCKET, told);
    await freshet.start(['--origin', origin.url]);
    await soon(() => count('READY=1'));
    await freshet.turn('stand-here 1500'); // longer than it would take to be told again
    equal(count('WATCHDOG=1'), 0);
    other.end();
  });
  await cases.check('a watchdog of another process is not ours', async () => {
    freshet.signal('TERM');
    equal(await freshet.status(), '0');
    told.length = 0;
    process.env.NOTIFY_SOCKET = socket;
    process.env.WATCHDOG_USEC = '200000';
    process.env.WATCHDOG_PID = '1';
    await freshet.start(['--origin', origin.url]);
    await soon(() => count('READY=1'));
    await freshet.turn('stand-here 700');
    equal(count('WATCHDOG=1'), 0);
  });
  await cases.check('nobody listens there any more: nothing is said of it', async () => {
    systemd.end();
    equal((await ask('/')).status, 200);
  });
});
