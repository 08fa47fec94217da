// Where nothing can be kept no token is made, and one that is revoked is refused at once, with a word about the restart.
// scenarios O34
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { check, equal, scenario, soon } from '../lib.mjs';

fs.writeFileSync('in-the-way', 'a file where the folder should be');
await scenario({ flags: ['--state', 'in-the-way'] }, async ({ cases, freshet, origin }) => {
  const create = (name) => freshet.run('token', 'create', '--name', name, '--scope', 'read');
  const read = async (secret) => (await freshet.api('GET', '/api/v1/status', undefined, { authorization: `Bearer ${secret}` })).status;
  await cases.check('what was asked and cannot be done is an error', async () => {
    const r = create('ci');
    equal(r.status, 1);
    equal(r.stdout, '');
    check(/^freshet token: the token was not made, since it could not be kept: .*not a directory.* \(status 503\)$/m.test(r.stderr), r.stderr);
    check(/^none but the one/.test(freshet.run('token', 'list').stdout), 'and none is there');
  });
  let secret;
  await cases.check('once the folder can be used, it is made and kept', async () => {
    fs.rmSync('in-the-way');
    await soon(async () => {
      await freshet.turn('advance 2000');
      return JSON.parse((await freshet.api('GET', '/api/v1/status')).text).facts.durable;
    });
    const r = create('ci');
    equal(r.status, 0, r.stderr);
    secret = r.stdout.trim();
    freshet.signal('KILL');
    await soon(() => freshet.note('status') !== undefined);
    fs.rmSync('ended');
    await freshet.start(['--origin', origin.url, '--state', 'in-the-way']);
    equal(await read(secret), 200);
  });
  await cases.check('a disk that is full: it is revoked at once, and the command fails, since it may come back', async () => {
    // No file of the process may grow.
    const pid = freshet.note('pid');
    equal(spawnSync('prlimit', ['--pid', pid, '--fsize=0:']).status, 0);
    const r = freshet.run('token', 'revoke', 'ci');
    equal(r.status, 1, r.stdout);
    check(/the token "ci" is revoked, but not on disk/.test(r.stderr), r.stderr);
    equal(await read(secret), 401);
    equal(create('other').status, 1);
    check(!/^other: /m.test(freshet.run('token', 'list').stdout), 'nor is one made');
    equal(spawnSync('prlimit', ['--pid', pid, '--fsize=unlimited:']).status, 0);
  });
});
