// Runs npm http-cache-tests, as its newest version asks for it, and the tests of additional.mjs against freshet, once a
// profile, and holds the results against expected-PROFILE.json: what is not listed there must pass, what is listed must not.
//
// Usage: node run.mjs [--profile isr|rfc9111] [--id TEST] [--https|--http2] [--origin-http2] [--verbose] [--freshet PATH]
//        node run.mjs --profile P --base URL --origin-port PORT    (a running proxy whose origin is 127.0.0.1:PORT)
//   --profile  one of the two; without it both, one after the other
//   --id       one test, with the traffic at the client and at the origin; the tests that it stands on are not run
//   --https    the client speaks TLS, by a certificate of freshet's local authority
//   --http2    the same, and HTTP/2
//   --origin-http2  the origin speaks HTTP/2
//   --verbose  a line for every test, the "check" kind too, which is only for information
//   --freshet  the program; else the variable FRESHET, else build/freshet
// Exit code: 0, 1 (something is not as expected), 2 (wrong usage).

import { fork, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Baseline } from '../baseline.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const PROFILES = ['rfc9111', 'isr'];
const AT_ONCE = 100; // tests in flight, as the suite's own runner; nearly all of their time is pauses
// The suite measures with its own clock: it stores for a second, waits for three, and takes it that all else takes no time. Where that
// did not hold by more than this, the test was late and says nothing, whatever came of it: it is run again, with fewer beside it.
const LATE_MS = 500;
const RUNS_MOST = 4;
const PAUSE_MS = 3000; // of pause_after
const START_LIMIT_MS = 10000;
const STOP_LIMIT_MS = 10000;

const USAGE = `Usage: run.mjs [--profile isr|rfc9111] [--id TEST] [--https|--http2] [--origin-http2] [--verbose] [--freshet PATH]
       run.mjs --profile isr|rfc9111 --base URL --origin-port PORT`;

function usage(message) {
  console.error(`${message}\n${USAGE}`);
  process.exit(2);
}

function options() {
  const string = { type: 'string' };
  const names = { profile: string, id: string, base: string, 'origin-port': string, freshet: string };
  try {
    const flag = { type: 'boolean' };
    const { values } = parseArgs({ options: { ...names, verbose: flag, https: flag, http2: flag, 'origin-http2': flag } });
    return { ...values, https: values.https || values.http2 };
  } catch (error) {
    return usage(error.message);
  }
}

const opts = options();
const program = resolve(opts.freshet ?? process.env.FRESHET ?? here('../../build/freshet'));
const profiles = opts.profile ? [opts.profile] : PROFILES;
if (opts.profile && !PROFILES.includes(opts.profile)) usage(`--profile ${opts.profile}: it is isr or rfc9111`);
if (opts.base && !(opts.profile && opts['origin-port'])) usage('--base needs --profile and --origin-port');
if (!opts.base && !existsSync(program)) usage(`${program} is not there: build it by make, or name it by --freshet`);
if (!existsSync(here('node_modules/http-cache-tests'))) usage('The suite is not installed: run npm ci in tests/conformance');

// What the suite brings is imported only now, so that a missing installation is said in words.
const { testsFor } = await import('./suite.mjs');
const { fetchOnce, trustAuthority, useHttp2 } = await import('./client.mjs');
const { compare, judge } = await import('./judge.mjs');
const config = await import('http-cache-tests/client/config.mjs');
const { makeCacheTest, testResults } = await import('http-cache-tests/client/test.mjs');

// ---- the processes ----

const exited = (child) => new Promise((done) => child.once('exit', (code, signal) => done(signal ?? code)));

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

const accepts = (port) =>
  new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => done(false));
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
  });

/** The suite's server; its log is shown when one test is looked at. */
async function startOrigin() {
  const stdio = ['ignore', 'pipe', 'inherit', 'ipc'];
  const protocol = opts['origin-http2'] ? ['h2'] : [];
  const child = fork(here('origin.mjs'), [opts['origin-port'] ?? '0', ...protocol], { stdio });
  child.stdout.on('data', (text) => opts.id && process.stdout.write(text));
  const port = await Promise.race([
    new Promise((done) => child.once('message', (message) => done(message.port))),
    exited(child).then((status) => Promise.reject(new Error(`the origin ended with ${status}`))),
  ]);
  return { port, stop: () => child.kill() };
}

const lastLines = (file) => readFileSync(file, 'utf8').split('\n').slice(-30).join('\n');

/** freshet with an empty state folder; `stop` says how it ended, and what it said if that was not well. */
async function startFreshet(profile, originPort) {
  const folder = mkdtempSync(join(tmpdir(), 'freshet-conformance-'));
  const log = join(folder, 'log');
  const [port, admin] = [await freePort(), await freePort()];
  const args = ['run', '--origin', `http://127.0.0.1:${originPort}`];
  args.push(...(opts.https ? ['--listen', `unix:${join(folder, 'clear')}`, '--https'] : ['--listen']), `127.0.0.1:${port}`);
  if (opts['origin-http2']) args.push('--origin-http2', 'only');
  args.push('--admin', `127.0.0.1:${admin}`, '--profile', profile, '--state', join(folder, 'state'));
  const output = openSync(log, 'a');
  const child = spawn(program, args, { stdio: ['ignore', output, output] });
  const end = exited(child);
  let ended = false;
  end.then(() => (ended = true));
  const deadline = Date.now() + START_LIMIT_MS;
  while (!(await accepts(port))) {
    if (ended || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`freshet ${ended ? 'ended' : `did not listen within ${START_LIMIT_MS} ms`}:\n${lastLines(log)}`);
    }
    await new Promise((again) => setTimeout(again, 20));
  }
  const baseline = await Baseline.of(child.pid, `http://127.0.0.1:${admin}`);
  const stop = async () => {
    const early = ended;
    const left = early ? '' : await baseline.trouble();
    child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    const status = await end;
    clearTimeout(limit);
    const trouble = early || status !== 0 ? `freshet ended with ${status}:\n${lastLines(log)}` : left;
    rmSync(folder, { recursive: true });
    return trouble;
  };
  if (opts.http2) useHttp2();
  if (opts.https) trustAuthority(join(folder, 'state', 'authority.pem'));
  return { base: `${opts.https ? 'https' : 'http'}://127.0.0.1:${port}`, stop };
}

// ---- one run ----

const isFieldOf = (headers) => ([name, value]) => headers.get(name) === value;

/** As the suite reports what it finds itself. */
const assertion = (message) => Object.assign(new Error(message), { name: 'Assertion' });

function checkInterim(expected, response) {
  const got = response.interim.map(({ status }) => status).join(' ');
  const wanted = expected.map(([status]) => status).join(' ');
  if (got !== wanted) throw assertion(`Interim responses are "${got}", not "${wanted}"`);
  expected.forEach(([status, fields = []], i) => {
    const missing = fields.find((field) => !isFieldOf(response.interim[i].headers)(field));
    if (missing) throw assertion(`Interim response ${status} lacks "${missing.join(': ')}"`);
  });
}

/** When each of a test's requests was sent, when the head of its answer was there, and when all of it was. */
class Times {
  #steps = [];

  send() {
    const now = performance.now();
    const step = { sent: now, head: now, end: now };
    this.#steps.push(step);
    return step;
  }

  /** By how much an answer, or what the client does between two requests, took longer than no time and the pauses asked for. */
  lateness(requests) {
    const late = this.#steps.map(({ sent, head, end }, i) => {
      const { pause_after, response_pause } = requests[i];
      const next = this.#steps[i + 1]?.sent ?? end;
      const pause = i + 1 < this.#steps.length && pause_after ? PAUSE_MS : 0;
      // How long a body takes is the origin's: one without a length ends when Node closes the idle connection.
      return Math.max(head - sent - (response_pause ?? 0) * 1000, next - end - pause);
    });
    return Math.max(0, ...late);
  }
}

/** The fetch function for the suite's client, with the words that its definitions do not know. */
function fetcher(tests, times) {
  const byId = new Map(tests.map((test) => [test.id, test]));
  return async (url, init = {}) => {
    const field = (name) => init.headers?.find((header) => header[0] === name)?.[1];
    const test = byId.get(field('Test-ID'));
    const step = times.get(test)?.send() ?? {};
    const response = await fetchOnce(url, init).finally(() => (step.head = step.end = performance.now()));
    const whole = response.text;
    response.text = () => whole().finally(() => (step.end = performance.now()));
    const request = test?.requests[field('Req-Num') - 1];
    if (request?.any_status) request.expected_status = response.status;
    if (request?.expected_interim_responses) checkInterim(request.expected_interim_responses, response);
    return response;
  };
}

/** Runs copies of the tests, so many at a time; adds to `raw` what the suite's client recorded, and returns those that were late. */
async function recordOnce(tests, base, atOnce, raw) {
  Object.keys(testResults).forEach((id) => delete testResults[id]);
  const copies = tests.map((test) => structuredClone(test));
  const times = new Map(copies.map((test) => [test, new Times()]));
  config.setFetch(fetcher(copies, times));
  config.setBaseUrl(base);
  const waiting = [...copies];
  const lane = async () => {
    for (let test = waiting.shift(); test; test = waiting.shift()) await makeCacheTest(test);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  Object.assign(raw, testResults);
  return tests.filter((_, i) => times.get(copies[i]).lateness(copies[i].requests) > LATE_MS);
}

/** Runs the tests and returns what the suite's client recorded; those that were late each time are named. */
async function record(tests, base) {
  const raw = {};
  let late = tests;
  for (let run = 0; late.length > 0 && run < RUNS_MOST; run++) {
    if (run > 0) console.log(`${late.length} tests were late by more than ${LATE_MS} ms and say nothing: once more`);
    late = await recordOnce(late, base, Math.ceil(AT_ONCE / 2 ** run), raw);
  }
  for (const { id } of late) console.log(`late each time, this machine is too busy: ${id}`);
  return raw;
}

// What an origin cannot say by HTTP/2: a Connection, and a length that is not its body's.
const unsaid = ['headers-omit-headers-listed-in-Connection', 'headers-store-Content-Length', '304-etag-update-response-Content-Length'];

function expectations(profile, verdicts) {
  const file = `expected-${profile}.json`;
  const { exceptions } = JSON.parse(readFileSync(here(file)));
  if (opts['origin-http2']) for (const id of unsaid) exceptions[id] = { outcome: 'fail', reason: 'no origin can say that by HTTP/2' };
  for (const id of Object.keys(exceptions)) {
    const kind = verdicts.get(id)?.test.kind;
    if (!kind || kind === 'check') throw new Error(`${file} lists ${id}, which is no required or optimal test`);
  }
  return exceptions;
}

function countOf(verdicts, origin, kind) {
  const of = [...verdicts.values()].filter(({ test }) => test.origin === origin && test.kind === kind);
  return `${kind} ${of.filter(({ outcome }) => outcome === 'pass').length}/${of.length}`;
}

/** Prints a profile's results and returns its share of the last line. */
function report(profile, verdicts) {
  const exceptions = expectations(profile, verdicts);
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const counts = (origin, kinds) => kinds.map((kind) => countOf(verdicts, origin, kind)).join(', ');
  const asked = ['required', 'optimal'];
  console.log(`${profile}: ${counts('package', asked)}; ours: ${counts('additional', asked)}`);
  console.log(`${profile}: for information: ${counts('package', ['check'])}`);
  for (const [id, verdict] of verdicts) {
    const { test, outcome, why } = verdict;
    const { result, why: trouble } = test.kind === 'check' ? { result: 'check' } : compare(verdict, exceptions[id]);
    if (result === 'passed') sum.passed++;
    if (result === 'listed') sum.skipped++;
    if (result === 'unexpected') {
      sum.failed++;
      console.log(`${profile}: UNEXPECTED ${test.kind} ${id}: ${trouble}\n    ${test.name}`);
    }
    if (result === 'listed') console.log(`${profile}: listed ${test.kind} ${id}: ${exceptions[id].reason}`);
    if (opts.verbose) console.log(`${profile}: ${test.kind} ${id}: ${outcome}${why && ` (${why})`}`);
  }
  return sum;
}

/** One test with its traffic. */
function reportOne(verdicts) {
  const [{ test, outcome, why }] = verdicts.values();
  console.log(`${test.id} (${test.kind}): ${outcome}${why && `: ${why}`}\n${test.name}`);
  return { passed: outcome === 'pass' ? 1 : 0, failed: outcome === 'pass' ? 0 : 1, skipped: 0 };
}

function wantedTests(profile) {
  const tests = testsFor(profile);
  if (!opts.id) return tests;
  const test = tests.find(({ id }) => id === opts.id);
  if (!test) usage(`--id ${opts.id}: there is no such test in the profile ${profile}`);
  return [{ ...test, dump: true, depends_on: [] }];
}

async function runProfile(profile, origin) {
  const tests = wantedTests(profile);
  const given = opts.base && { base: opts.base.replace(/\/$/, ''), stop: () => '' };
  const proxy = given ?? (await startFreshet(profile, origin.port));
  let raw;
  let trouble;
  try {
    raw = await record(tests, proxy.base);
  } finally {
    trouble = await proxy.stop();
  }
  const verdicts = judge(tests, raw);
  const sum = opts.id ? reportOne(verdicts) : report(profile, verdicts);
  if (trouble) {
    sum.failed++;
    console.log(`${profile}: ${trouble}`);
  }
  return sum;
}

const origin = await startOrigin();
const total = { passed: 0, failed: 0, skipped: 0 };
try {
  for (const profile of profiles) {
    const sum = await runProfile(profile, origin);
    Object.keys(total).forEach((key) => (total[key] += sum[key]));
  }
} finally {
  origin.stop();
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
