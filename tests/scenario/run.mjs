// Runs scenarios, two at a time. Usage: node tests/scenario/run.mjs [--build FOLDER] [--keep] [PATTERN]...
// FRESHET_IO=epoll in the environment: sockets without io_uring. FRESHET_FRONT=tls, FRESHET_FRONT=h2: clients by TLS, by HTTP/2 (relay.mjs): those
// in varnishtest's language, but for one whose head says `# http/1.1 in clear: WHY`, and programs whose head says `// also over tls, h2` (or one).
// A pattern is how a folder's or a file's name begins (b, b_stale, b001). Failing ones show the end of their log and of freshet's.
// Last line: N passed, N failed, N skipped.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const args = process.argv.slice(2);
const option = (name) => {
  const i = args.indexOf(name);
  return i < 0 ? undefined : args.splice(i, 2)[1];
};
const build = path.resolve(here, '../..', option('--build') ?? 'build-dev');
const jobs = +(option('--jobs') ?? 2);
const keep = args.includes('--keep');
const slow = args.includes('--slow');
const patterns = args.filter((a) => !a.startsWith('--'));
const limit_s = 60;

const binary = path.join(build, 'src/freshet');
if (!fs.existsSync(binary)) {
  console.log(`there is no ${path.relative(process.cwd(), binary)}; \`make dev\` builds it`);
  console.log('0 passed, 1 failed, 0 skipped');
  process.exit(1);
}

// What a page means does not depend on how bytes come, so a file of varnishtest goes over each front, unless it says why not. A program goes over
// those that it names: most are about connections in clear.
function goes_over(front, f) {
  const text = fs.readFileSync(path.join(here, f), 'utf8');
  return f.endsWith('.vtc') ? !/^# http\/1\.1 in clear: /m.test(text) : new RegExp(`^// also over (.*, )?${front}(,|$)`, 'm').test(text);
}

const scenarios = fs.readdirSync(here, { withFileTypes: true }).filter((d) => d.isDirectory())
  .flatMap((d) => fs.readdirSync(path.join(here, d.name)).map((f) => `${d.name}/${f}`))
  .filter((f) => /\.(vtc|mjs)$/.test(f)).sort()
  .filter((f) => !process.env.FRESHET_FRONT || goes_over(process.env.FRESHET_FRONT, f))
  .filter((f) => patterns.length === 0 || patterns.some((p) => f.startsWith(p) || path.basename(f).startsWith(p)));
// Node programs take longest: first, so that the others fill up beside them.
scenarios.sort((a, b) => b.endsWith('.mjs') - a.endsWith('.mjs'));

const total = { passed: 0, failed: 0, skipped: 0 };
const failed = []; // their names, told once more at the end
// The sanitizers' findings end the program, whoever runs this.
const env = { ASAN_OPTIONS: 'abort_on_error=1:detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TSAN_OPTIONS: 'halt_on_error=1', ...process.env, FRESHET: binary, TZ: 'UTC' };

// A certificate for all freshets of this run.
if (env.FRESHET_FRONT) {
  const folder = (env.FRESHET_FRONT_PAIR = fs.mkdtempSync(path.join(os.tmpdir(), 'fr-pair-')));
  process.on('exit', () => fs.rmSync(folder, { recursive: true }));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '90', '-subj', '/CN=test',
    '-addext', 'subjectAltName=DNS:test', '-keyout', `${folder}/pair.key`, '-out', `${folder}/pair.cert`], { stdio: 'pipe' });
}

// Ports below the range that the kernel hands out by itself, each given out once.
let port = 20000 + (process.pid % 1000) * 10;
function freePort() {
  const p = ++port;
  return new Promise((resolve) => {
    const s = net.createServer();
    s.on('error', () => resolve(freePort()));
    s.listen(p, '127.0.0.1', () => s.close(() => resolve(p)));
  });
}

function execute(command, argv, cwd, limit) {
  return new Promise((resolve) => {
    let out = '';
    const p = spawn(command, argv, { cwd, env: { ...env, TMPDIR: cwd, FRESHET_RUNTIME_DIR: `${cwd}/runtime` }, stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => {
      out += `\nno end after ${limit} s\n`;
      p.kill('SIGKILL');
    }, limit * 1000);
    for (const s of [p.stdout, p.stderr]) s.on('data', (d) => (out += d));
    p.on('close', (status) => {
      clearTimeout(timer);
      resolve({ out, status });
    });
  });
}

// The folders of the freshets that a scenario started.
function instances(folder) {
  // Not readdirSync's `recursive`: Node 18 takes sockets for folders there.
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((e) => (e.isDirectory() ? instances(path.join(folder, e.name)) : e.name === 'pid' ? [folder] : []));
}

function last(text, lines) {
  const all = text.trimEnd().split('\n').map((l) => (l.length > 400 ? l.slice(0, 400) + '...' : l));
  return (all.length > lines ? [`[${all.length - lines} lines before]`] : []).concat(all.slice(-lines)).join('\n');
}

// A command inherits varnishtest's sockets, and what the scenario closes meanwhile stays open in it: an origin that hung up
// would not have. So a command lets go of them before anything else (dash knows descriptors of one digit).
const let_go = 'exec ' + [3, 4, 5, 6, 7, 8, 9].map((fd) => `${fd}<&-`).join(' ') + '; ';

function letting_go(text) {
  const option = /\s+-(?:err|exit\s+\d+|(?:expect|match)\s+(?:"(?:[^"\\]|\\.)*"|\{[^}]*\}|[^\s"{]+))/.source;
  return text.replace(new RegExp(`^([ \\t]*shell(?:${option})*\\s+["{])`, 'gm'), (begin) => begin + let_go);
}

async function run(scenario) {
  const file = path.join(here, scenario);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fr-')); // short: socket paths have 107 bytes
  const began = Date.now();
  let r;
  const count = { passed: 0, failed: 0, skipped: 0 };
  if (scenario.endsWith('.vtc')) {
    const text = fs.readFileSync(file, 'utf8');
    const macros = { freshet: `${process.execPath} ${path.join(here, 'freshet.mjs')}`, program: binary, here: path.dirname(file),
      port: 0, port2: 0 };
    if (text.includes('${port}')) macros.port = await freePort();
    if (text.includes('${port2}')) macros.port2 = await freePort();
    // Each ends with the checks that hold after every scenario, while its servers still listen.
    const stop = text.includes('${freshet} start') ? '\nshell "${freshet} stop"\n' : '\n';
    fs.writeFileSync(path.join(folder, path.basename(file)), letting_go(text + stop));
    r = await execute('varnishtest', ['-l', '-v', '-b', '16M', '-t', String(limit_s),
      ...Object.entries(macros).flatMap(([n, v]) => ['-D', `${n}=${v}`]), path.join(folder, path.basename(file))],
    folder, limit_s + 15);
    count[r.status === 0 ? 'passed' : r.status === 77 ? 'skipped' : 'failed']++;
  } else {
    r = await execute(process.execPath, [file, ...(slow ? ['--slow'] : [])], folder, 5 * limit_s);
    const sum = [...r.out.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)].at(-1) ?? [0, 0, 0, 0];
    [count.passed, count.failed, count.skipped] = sum.slice(1).map(Number);
    if (count.failed === 0 && (r.status !== 0 || count.passed + count.skipped === 0)) count.failed = 1;
  }
  for (const k in count) total[k] += count[k];

  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const left = instances(folder);
  if (count.failed > 0) {
    failed.push(scenario);
    console.log(`--- ${scenario}: failed (${seconds} s)`);
    console.log(last(r.out, 60));
    for (const i of left) console.log(`--- log of freshet\n${last(fs.existsSync(`${i}/log`) ? fs.readFileSync(`${i}/log`, 'utf8') : '', 60)}`);
    console.log('---');
  } else {
    console.log(`${count.skipped && !count.passed ? 'skipped' : 'ok'} ${scenario} (${seconds} s${count.passed > 1 ? `, ${count.passed} cases` : ''})`);
  }
  const kill = (file) => {
    try {
      process.kill(+fs.readFileSync(file, 'utf8'), 'SIGKILL');
    } catch { /* it ended meanwhile, or never was */ }
  };
  for (const i of left) {
    if (!fs.existsSync(`${i}/status`)) kill(`${i}/pid`);
    kill(`${i}/relay`);
  }
  if (keep) {
    console.log(`kept ${folder}`);
  } else {
    try {
      fs.rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    } catch { /* a last process still writes there; it is in the temporary folder anyway */ }
  }
}

async function work() {
  for (let s; (s = scenarios.shift()); ) await run(s);
}
await Promise.all(Array.from({ length: jobs }, work));
for (const f of failed) console.log(`failed: ${f}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
