// The secret of a webhook may come from a file or the environment; a reload reads it again, a missing one is an error that names
// where it should be, and no message, log or status repeats a secret.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const body = '{"id":1}';
const file = path.resolve('hook.secret');
fs.writeFileSync(file, 'first-secret\n', { mode: 0o600 });
process.env.FRESHET_TEST_HOOK = 'environment-secret';
const sign = (secret) => ({ 'x-hub-signature-256': `sha256=${crypto.createHmac('sha256', secret).update(body).digest('hex')}` });
const yaml = (url) => `origin: ${url}
webhooks:
  - {path: /by-file, sender: github, secret_file: "${file}", tags: ["{id}"]}
  - {path: /by-env, sender: github, secret_env: FRESHET_TEST_HOOK, tags: ["{id}"], soft: true}
`;

await scenario({ answer: () => reply('x'), yaml }, async ({ ask, cases, freshet }) => {
  const post = async (target, secret) => (await ask(target, sign(secret), { method: 'POST', body })).status;
  await cases.check('both are read', async () => {
    equal(await post('/by-file', 'first-secret'), 200);
    equal(await post('/by-env', 'environment-secret'), 200);
    equal(await post('/by-file', 'environment-secret'), 401);
    equal(await post('/by-env', 'first-secret'), 401);
  });
  await cases.check('a reload reads the file again', async () => {
    fs.writeFileSync(file, 'second-secret\r\n');
    freshet.signal('HUP');
    await soon(() => /info main: reloaded/.test(freshet.log()));
    equal(await post('/by-file', 'first-secret'), 401);
    equal(await post('/by-file', 'second-secret'), 200);
  });
  await cases.check('without the file the old secret stays, and the log says why', async () => {
    fs.rmSync(file);
    freshet.signal('HUP');
    await soon(() => /webhook \/by-file of default: its secret \([^)]*hook\.secret\)/.test(freshet.log()));
    equal(await post('/by-file', 'second-secret'), 200);
  });
  await cases.check('an empty file is an error', async () => {
    fs.writeFileSync(file, '\nsecond-secret\n', { mode: 0o600 });
    freshet.signal('HUP');
    await soon(() => /hook\.secret\): is empty/.test(freshet.log()));
  });
  await cases.check('a variable that is not there is named, with its field and what to do', () => {
    fs.writeFileSync('absent.yaml', 'origin: http://127.0.0.1:9\nwebhooks:\n  - {path: /h, secret_env: FRESHET_TEST_NOBODY, tags: [a]}\n');
    const r = freshet.run('check', 'absent.yaml', '--listen', `unix:${process.cwd()}/free`, '--admin', '', '--state', 'other');
    equal(r.status, 1);
    check(/absent.yaml: webhook \/h of default: its secret \(secret_env FRESHET_TEST_NOBODY\): the environment of freshet has no such variable; set it/.test(r.stderr), r.stderr);
  });
  await cases.check('nothing repeats a secret', async () => {
    const all = freshet.log() + (await freshet.api('GET', '/api/v1/status')).text;
    check(!/(first|second|environment)-secret/.test(all), all.slice(-400));
  });
});
