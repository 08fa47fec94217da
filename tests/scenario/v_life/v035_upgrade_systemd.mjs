// systemd follows an upgrade: the old process says RELOADING=1, then MAINPID=, the new one READY=1 and WATCHDOG=1; when the new one does not start, the old one
// is ready again and goes on.
// scenarios V9, V12
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, scenario, soon, supervisor } from '../lib.mjs';

const socket = path.resolve('notify');
const { told, end } = await supervisor(socket);
process.env.NOTIFY_SOCKET = socket;
process.env.WATCHDOG_USEC = '400000';
const yaml = (origin) => `sites: {shop: {origin: "${origin}"}}\n`;
await scenario({ yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet }) => {
  await soon(() => told.some((t) => t.text === 'READY=1|STATUS=Serving'));
  const words = (from) => told.slice(from).map((t) => t.text).filter((t) => t !== 'WATCHDOG=1').map((t) => t.replace(/USEC=\d+/, 'USEC=0'));
  await cases.check('RELOADING, MAINPID of the new one, READY of the new one', async () => {
    const from = told.length;
    await freshet.upgrade();
    await soon(() => told.slice(from).some((t) => t.text.startsWith('READY=1')));
    equal(words(from).join(' '), `RELOADING=1|MONOTONIC_USEC=0 MAINPID=${freshet.note('pid')} READY=1|STATUS=Serving`);
    await freshet.drained();
  });
  await cases.check('the new one says that all is well, the old one nothing more', async () => {
    const from = told.length;
    await soon(() => told.length > from + 4);
    equal(words(from).length, 0);
  });
  await cases.check('one that does not start', async () => {
    const good = fs.readFileSync('config.yaml', 'utf8'), from = told.length;
    fs.writeFileSync('config.yaml', 'sites: 5\n');
    freshet.signal('USR2');
    await soon(() => told.slice(from).some((t) => t.text.startsWith('READY=1')));
    equal(words(from).join(' '), 'RELOADING=1|MONOTONIC_USEC=0 READY=1|STATUS=Serving; a new freshet did not start');
    fs.writeFileSync('config.yaml', good);
    equal((await ask('/')).status, 200);
  });
  await cases.check('a reload that is asked for meanwhile is made by whoever serves then', async () => {
    freshet.signal('USR2');
    freshet.signal('HUP');
    await freshet.replaced(freshet.log().length);
    await freshet.drained();
    await freshet.saying('main: reloaded');
    check(true, '');
  });
  end();
});
