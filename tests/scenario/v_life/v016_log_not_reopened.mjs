// An access log that cannot be opened anew is said once, however many workers write to it; the old one is kept.
// DESIGN "Files and processes"
import fs from 'node:fs';
import { equal, reply, scenario, soon } from '../lib.mjs';

const lines = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).length;

fs.mkdirSync('logs');
await scenario({ answer: () => reply('x'), flags: ['--access-log', 'logs/access', '--workers', '4'] }, async ({ ask, cases, freshet }) => {
  const said = () => (freshet.log().match(/cannot reopen/g) ?? []).length;
  fs.renameSync('logs', 'logs.1');
  freshet.signal('USR1');
  await freshet.saying('cannot reopen logs/access: no such file or directory');
  // The clocks are turned when all workers have said that they saw it: they have read what was sent before, too.
  await freshet.advance('0s');
  await cases.check('said once', () => equal(said(), 1));
  freshet.signal('USR1');
  await freshet.saying('cannot reopen', 2);
  await freshet.advance('0s');
  await cases.check('and once more the next time', () => equal(said(), 2));
  await ask('/');
  await freshet.advance('2s');
  await cases.check('the old file is still written to', () => soon(() => lines('logs.1/access') === 1));
  fs.renameSync('logs.1', 'logs');
});
