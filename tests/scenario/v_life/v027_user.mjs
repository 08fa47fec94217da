// Started by root with `user:`, freshet binds its ports and reads what only root may, then is that user in all its threads, with none of root's
// groups; what it keeps belongs to that user; reloads and logs work as that user, or say what they lack. What cannot be is refused at the start.
// scenarios V11
import fs from 'node:fs';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { Cases, Freshet, Origin, check, equal, reply, soon } from '../lib.mjs';

const cases = new Cases();
const is_root = process.getuid() === 0;
const id = (...args) => +spawnSync('id', args, { encoding: 'utf8' }).stdout;
const uid = id('-u', 'nobody');
const gid = id('-g', 'nobody');
// The folder of the test is its user's alone; what is in it has to be reached by nobody.
fs.chmodSync('.', 0o755);
fs.mkdirSync('logs');
if (is_root) fs.chownSync('logs', uid, gid);
fs.writeFileSync('secret', 'a-token-that-root-alone-reads\n', { mode: 0o600 });

const run = (flags, options = {}) => {
  const r = spawnSync(process.env.FRESHET, ['run', '--listen', '127.0.0.1:0', '--admin', '', '--origin', 'http://127.0.0.1:1', '--state', path.resolve('refused'), ...flags],
    { encoding: 'utf8', timeout: 20_000, ...options });
  return { status: r.status, said: r.stderr };
};
const refused = (flags, pattern, options) => {
  const r = run(flags, options);
  equal(r.status, 1, `status of ${flags}`);
  check(pattern.test(r.said), r.said);
};

await cases.check('a user that is not there, or no user at all', () => {
  refused(['--user', 'no-such-user'], /user: this system has no user "no-such-user"; make it \(useradd/);
  refused(['--user', 'nobody:no-such-group'], /user: this system has no group "no-such-group"/);
  refused(['--user', '54321'], /user: 54321 is a number without a name here, so name its group too: 54321:54321/);
  const r = run(['--user', 'a b']);
  equal(r.status, 2);
  check(/--user: "a b" is not a user; write NAME or NAME:GROUP/.test(r.said), r.said);
});

const origin = await new Origin((r) => reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' })).listen();
const freshet = new Freshet('.');
if (!is_root) {
  await cases.check('only root can become another user', () =>
    refused(['--user', 'root'], /user: only root can become another user; let root start freshet, or leave the setting out and start it as root/));
  await cases.check('to be that user already is well', async () => {
    await freshet.start(['--user', String(process.getuid()) + ':' + process.getgid(), '--origin', origin.url]);
    await freshet.stop();
  });
} else {
  await cases.check('only root can become another user', () =>
    refused(['--user', 'root', '--state', '/tmp'], /user: only root can become another user; let root start freshet, or leave the setting out and start it as root/,
      { uid, gid, env: { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:detect_leaks=0` } }));
  await cases.check('a state folder of somebody else', () => {
    fs.mkdirSync('roots');
    refused(['--user', 'nobody', '--state', path.resolve('roots')], /roots" belongs to somebody else than the user nobody; give the state folder to it \(chown -R nobody: /);
    fs.chownSync('roots', uid, gid);
    fs.writeFileSync('roots/token', 'the-token-of-an-earlier-start\n', { mode: 0o600 });
    refused(['--user', 'nobody', '--state', path.resolve('roots')], /roots\/token" belongs to somebody else/);
  });
  await cases.check('a log that this user may not write', () =>
    refused(['--user', 'nobody', '--state', path.resolve('mine'), '--access-log', path.resolve('access')],
      /cannot open the access log ".*access": permission denied; make it, or its folder, writable for this user/));
  await freshet.start(['--user', 'nobody', '--origin', origin.url, '--token', '', '--token-file', path.resolve('secret'), '--state', path.resolve('state'),
    '--access-log', path.resolve('logs/access'), '--workers', '2', '--yaml', '']);
  const pid = freshet.note('pid');
  await cases.check('all threads are that user, in its group alone', () => {
    const all = fs.readdirSync(`/proc/${pid}/task`).map((t) => fs.readFileSync(`/proc/${pid}/task/${t}/status`, 'utf8'));
    check(all.length > 5, `${all.length} threads`);
    for (const s of all) {
      equal(/^Uid:\t(.*)$/m.exec(s)[1], Array(4).fill(uid).join('\t'));
      equal(/^Gid:\t(.*)$/m.exec(s)[1], Array(4).fill(gid).join('\t'));
      equal(/^Groups:\t(.*)$/m.exec(s)[1].trim(), String(gid));
      equal(/^CapEff:\t(.*)$/m.exec(s)[1], '0'.repeat(16));
    }
  });
  await cases.check('what it keeps is that user\'s alone', () => {
    check(fs.readdirSync('state').length >= 2);
    for (const f of ['state', 'logs/access', ...fs.readdirSync('state').map((n) => `state/${n}`)]) equal(fs.statSync(f).uid, uid, f);
    equal(fs.statSync('state').mode & 0o777, 0o700);
  });
  await cases.check('the token that root alone reads is the token', async () => {
    const r = await freshet.api('GET', '/api/v1/status', undefined, { authorization: 'Bearer a-token-that-root-alone-reads' });
    equal(r.status, 200);
  });
  await cases.check('a log is opened anew, as that user', async () => {
    fs.renameSync('logs/access', 'logs/access.1');
    freshet.signal('USR1');
    await soon(() => fs.existsSync('logs/access'));
    equal(fs.statSync('logs/access').uid, uid);
  });
  await cases.check('a reload reads what that user may, and says so of the rest', async () => {
    fs.writeFileSync('config.yaml', 'idle_timeout: 20s\n');
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
    fs.chmodSync('config.yaml', 0o600);
    freshet.signal('HUP');
    await freshet.saying('config.yaml: cannot be read: Permission denied');
    fs.chmodSync('config.yaml', 0o644);
    freshet.signal('HUP');
    await freshet.saying('main: reloaded', 2);
  });
  await cases.check('what holds after every scenario', () => freshet.stop());
  await cases.check('the next start finds all of it', async () => {
    const next = new Freshet('.');
    await next.start(['--user', 'nobody', '--origin', origin.url, '--state', path.resolve('state')]);
    check(!/warning/.test(next.log().split('listening').at(-1)), next.log());
    await next.stop();
  });
}
cases.end();
