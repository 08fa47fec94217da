// A process that was taken over gains little: files outside its folders cannot be opened, system calls that it does not need are refused and
// named in the log, in all of its threads; what it needs works: names, reloads, rotated logs, the disk. `sandbox: off` lets it do all.
// scenarios V10
import fs from 'node:fs';
import path from 'node:path';
import { Freshet, check, equal, reply, scenario, soon } from '../lib.mjs';

const outside = fs.mkdtempSync('/tmp/fr-outside-');
process.on('exit', () => fs.rmSync(outside, { recursive: true, force: true }));
fs.writeFileSync(`${outside}/secret`, 'a secret');
fs.mkdirSync('logs');
fs.mkdirSync('conf');
const yaml_of = (origin, more = '') => `sites: {shop: {origin: "${origin}"${more}}}\n`;

const statuses = (freshet) => fs.readdirSync(`/proc/${freshet.note('pid')}/task`)
  .map((t) => fs.readFileSync(`/proc/${freshet.note('pid')}/task/${t}/status`, 'utf8'));
const page = { 'Cache-Control': 'max-age=600' };

await scenario({ answer: (r) => reply(`page ${r.target}`, page), yaml: (url) => yaml_of(url.replace('127.0.0.1', 'localhost')),
  flags: ['--workers', '2', '--access-log', 'logs/access'] }, async ({ cases, freshet, ask, origin }) => {
  const lacks = /does not confine/.test(freshet.log());
  await cases.check('a name is looked up, a page is stored', async () => {
    equal((await ask('/a')).body, 'page /a');
    equal((await ask('/a')).body, 'page /a');
    equal(origin.requests.length, 1);
  });
  await cases.check('each thread may gain no rights and has a filter', () => {
    const all = statuses(freshet);
    check(all.length > 5, `${all.length} threads`);
    for (const s of all) check(/^NoNewPrivs:\t1$/m.test(s) && (lacks || /^Seccomp:\t2$/m.test(s)), s);
  });
  if (!lacks) {
    await cases.check('what is outside cannot be opened', async () => {
      for (const file of [`${outside}/secret`, '/etc/shadow', '/root/.profile'])
        equal(await freshet.control(`open ${file}`), 'permission denied', file);
      for (const file of [`${outside}/new`, `${outside}/secret`, '/etc/cron.d/x', 'x', `/tmp/fr-${process.pid}`])
        equal(await freshet.control(`write ${file}`), 'permission denied', file);
      check(!fs.existsSync(`${outside}/new`));
    });
    await cases.check('what is inside can', async () => {
      equal(await freshet.control('open config.yaml'), 'ok');
      equal(await freshet.control('write state/probe'), 'ok');
      equal(await freshet.control('open state/probe'), 'ok');
      equal(await freshet.control('write logs/probe'), 'ok');
      equal(await freshet.control('open /etc/hosts'), 'ok');
    });
    await cases.check('a call that is not needed is refused, counted, and said once', async () => {
      const calls = ['mount', 'bpf', 'listen', 'io_uring_setup', 'unshare', 'setuid', 'memfd_create', 'perf_event_open'];
      for (const call of [...calls, ...calls]) equal(await freshet.control(`call ${call}`), 'operation not permitted', call);
      await freshet.until('sandbox_refused_total', '==', 2 * calls.length);
      for (const call of calls) equal(freshet.log().match(new RegExp(`error sandbox: refused the system call ${call}\\.`, 'g')).length, 1, call);
      equal((await ask('/a')).body, 'page /a');
    });
  }
  await cases.check('a configuration that was replaced is read', async () => {
    fs.writeFileSync('config.new', yaml_of(origin.url, ', generate_etag: false'));
    fs.renameSync('config.new', 'config.yaml');
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
  });
  await cases.check('a rotated log is opened anew', async () => {
    fs.renameSync('logs/access', 'logs/access.1');
    freshet.signal('USR1');
    await soon(() => fs.existsSync('logs/access'));
  });
  await cases.check('one that names a file elsewhere is refused, and says why', async () => {
    fs.writeFileSync(`${outside}/_headers`, '/x\n  X-A: b\n');
    fs.writeFileSync('config.yaml', yaml_of(origin.url, `, headers_file: "${outside}/_headers"`));
    freshet.signal('HUP');
    if (lacks) return freshet.saying('main: reloaded', 2);
    await freshet.saying(`${outside}/_headers: cannot be read: Permission denied`);
    await freshet.saying('the sandbox lets a reload read only from the folders that were named when freshet was started');
    equal((await ask('/a')).body, 'page /a');
  });
  await cases.check('after a restart it is read', async () => {
    freshet.signal('TERM');
    equal(await freshet.status(), '0');
    await freshet.start(['--yaml', fs.readFileSync('config.yaml', 'utf8')]);
    freshet.signal('HUP');
    await freshet.saying('main: reloaded', lacks ? 3 : 2);
  });
  await cases.check('sandbox: off lets it do all, and so it gains nothing all the same', async () => {
    const open = new Freshet('open');
    await open.start(['--origin', origin.url, '--sandbox', 'off']);
    equal(await open.control(`open ${outside}/secret`), 'ok');
    equal(await open.control('call unshare'), 'invalid argument');
    for (const s of statuses(open)) check(/^Seccomp:\t0$/m.test(s) && /^NoNewPrivs:\t1$/m.test(s), s);
    await open.stop();
  });
});
