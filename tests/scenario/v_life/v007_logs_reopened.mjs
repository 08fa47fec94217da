// SIGUSR1 opens the access log anew: what follows goes to the new file, the old one keeps its lines, none is lost or torn.
// DESIGN "Files and processes"
import fs from 'node:fs';
import { equal, reply, scenario, soon } from '../lib.mjs';

const lines = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l).url) : []);

await scenario({ answer: () => reply('x'), flags: ['--access-log', 'access'] }, async ({ ask, cases, freshet }) => {
  await ask('/old');
  await freshet.advance('2s');
  await soon(() => lines('access').length === 1);
  fs.renameSync('access', 'access.1');
  freshet.signal('USR1');
  await cases.check('the file is there again', () => soon(() => fs.existsSync('access')));
  await ask('/new');
  await freshet.advance('2s');
  await cases.check('what follows is in the new file', async () => {
    await soon(() => lines('access').length === 1);
    equal(lines('access')[0].endsWith('/new'), true);
  });
  await cases.check('the old file keeps what it had', () => equal(lines('access.1').length === 1 && lines('access.1')[0].endsWith('/old'), true));
});
