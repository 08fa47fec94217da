// systemd follows an upgrade: the old process says RELOADING=1, then MAINPID=, the new one READY=1 and WATCHDOG=1; when the new one does not start, the old one
// is ready again and goes on.
// scenarios V9, V12
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, scenario, soon } from '../lib.mjs';

const listener = `use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; setsockopt($s, SOL_SOCKET, 16, 1); bind($s, sockaddr_un($ARGV[0])) or die "$!";
  print "bound\\n"; while (defined recv($s, my $m, 4096, 0)) { $m =~ s/\\n/|/g; print "$m\\n"; }`;
const told = [];
const socket = path.resolve('notify');
const systemd = spawn('perl', ['-e', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
let text = '';
systemd.stdout.setEncoding('utf8').on('data', (d) => {
  text += d;
  for (let n; (n = text.indexOf('\n')) >= 0; text = text.slice(n + 1)) told.push(text.slice(0, n));
});
await soon(() => told.includes('bound'));
process.env.NOTIFY_SOCKET = socket;
process.env.WATCHDOG_USEC = '400000';
const yaml = (origin) => `sites: {shop: {origin: "${origin}"}}\n`;
await scenario({ yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet }) => {
  await soon(() => told.includes('READY=1|STATUS=Serving'));
  const words = (from) => told.slice(from).filter((t) => t !== 'WATCHDOG=1').map((t) => t.replace(/USEC=\d+/, 'USEC=0'));
  await cases.check('RELOADING, MAINPID of the new one, READY of the new one', async () => {
    const from = told.length;
    await freshet.upgrade();
    await soon(() => told.slice(from).some((t) => t.startsWith('READY=1')));
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
    await soon(() => told.slice(from).some((t) => t.startsWith('READY=1')));
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
  systemd.kill();
});
