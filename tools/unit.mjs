// Runs the unit tests of a build, two programs at once, and sums what cmocka counts.
// Usage: node tools/unit.mjs [--build FOLDER] [--threads] [WORD]...    those whose name has one of the words
// --threads: not those that have one thread, in which the thread sanitizer sees nothing and takes its time
// Prints the output of programs that fail. Last line: N passed, N failed, N skipped.
import { execFileSync, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(path.join(path.dirname(fileURLToPath(import.meta.url)), '..'));
const args = process.argv.slice(2);
const at = args.indexOf('--build');
const build = at >= 0 ? args.splice(at, 2)[1] : 'build-dev';
const with_threads = args.includes('--threads') && args.splice(args.indexOf('--threads'), 1).length > 0;
const one_thread = /^(http|coding|conf|site)_|^(cache_record|cache_release|cache_sweep|front_h1|io_timer|origin_upload)_test$/;
const limit_ms = 600_000; // beside other suites on a small machine

const programs = JSON.parse(execFileSync('meson', ['introspect', build, '--tests']))
  .filter((t) => t.suite.some((s) => s.endsWith('unit')) && !(with_threads && one_thread.test(t.name)) && (args.length === 0 || args.some((word) => t.name.includes(word))));
const total = { passed: 0, failed: 0, skipped: 0 };

function run(test) {
  return new Promise((resolve) => {
    let out = '';
    const p = spawn(test.cmd[0], test.cmd.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], cwd: test.workdir ?? undefined,
      env: { ...process.env, ...test.env } });
    const timer = setTimeout(() => {
      out += `\nno end after ${limit_ms / 1000} s\n`;
      p.kill('SIGKILL');
    }, limit_ms);
    p.stdout.on('data', (d) => (out += d));
    p.stderr.on('data', (d) => (out += d));
    p.on('error', (e) => resolve({ out: String(e), ok: false }));
    p.on('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ out, ok: status === 0, why: signal ?? `status ${status}` });
    });
  });
}

async function work() {
  for (let test; (test = programs.shift()); ) {
    const r = await run(test);
    const sum = (word) => [...r.out.matchAll(new RegExp(`^\\[ +${word} +\\] (\\d+) test`, 'gm'))].reduce((n, m) => n + +m[1], 0);
    const passed = sum('PASSED');
    let failed = sum('FAILED');
    const skipped = sum('SKIPPED');
    if (!r.ok && failed === 0) failed = 1; // it crashed or was stopped before it could count
    if (r.ok && passed + skipped === 0) failed = 1; // a program that tests nothing
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    if (failed > 0) {
      console.log(`--- ${test.name}: ${failed} failed (${r.why})`);
      console.log(r.out.split('\n').filter((l) => !/^\[( RUN {6}|       OK )\]/.test(l)).slice(-60).join('\n'));
      console.log('---');
    }
  }
}

await Promise.all([work(), work()]);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
