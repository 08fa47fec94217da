// The bench's own test, part of `make test`: small runs of the harness must give sane figures, what is no hit must be noticed, the
// document must come out, no kind of hit may take more instructions than it did (instructions.mjs), and no head many more than a
// plain one (heads.mjs). How fast anything is does not matter here: the machine may be busy.
// Last line: N passed, N failed, N skipped.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { hitCell } from './lib/cell.mjs';
import { store, write } from './lib/document.mjs';
import { request } from './lib/heads.mjs';
import { coarse } from './lib/kernel.mjs';
import { Crowd, openLoop, wrk } from './lib/load.mjs';
import { machine, versions } from './lib/machine.mjs';
import { World } from './lib/world.mjs';
import * as fetches from './tables/fetches.mjs';
import * as handshakes from './tables/handshakes.mjs';
import * as hits from './tables/hits.mjs';
import * as kinds from './tables/kinds.mjs';
import * as tls from './tables/tls.mjs';

const count = { passed: 0, failed: 0, skipped: 0 };
const quick = { rounds: 1, seconds: 1, quick: true, have: ['bare', 'uring', 'freshet'], say: () => {} };
const target = '/b1024/hit';

function expect(ok, what) {
  if (!ok) throw new Error(what);
}

async function test(what, run) {
  try {
    await run();
    count.passed++;
    console.log(`passed ${what}`);
  } catch (e) {
    count.failed++;
    console.log(`FAILED ${what}: ${e.stack}`);
  }
}

const world = await World.open();
try {
  await test('freshet gives hits, byte by byte the same, and the bare servers its answer', async () => {
    await world.start('freshet', { cores: '0', workers: 1 });
    const answer = await world.warm('freshet', target), response = await world.responseFile('hit', answer);
    await world.start('bare', { cores: '0', workers: 1, response });
    await world.start('uring', { cores: '0', workers: 2, response });
    for (const n of ['bare', 'uring']) expect((await world.warm(n, target)).head === answer.head, `${n} has another head`);
  });

  await test('CPU time is that of user and kernel together', async () => {
    const server = world.servers.bare, before = { fine: server.cpuNs(), coarse: coarse(server.pids) };
    const r = await wrk({ port: server.port, target, connections: 16, seconds: 2 });
    const fine = (server.cpuNs() - before.fine) / 1e6, now = coarse(server.pids);
    const user = now.user - before.coarse.user, system = now.system - before.coarse.system;
    expect(r.requests > 100, `only ${r.requests} requests`);
    // Ticks of 10 ms on both sides of each.
    expect(Math.abs(fine - user - system) <= 40 + 0.05 * fine, `${fine} ms by the scheduler, ${user} + ${system} by the ticks`);
    expect(system > user, `a bare server is mostly the kernel's work: ${user} ms user, ${system} ms system`);
  });

  await test('what is no hit ends the measurement', async () => {
    const error = await hitCell(world, ['freshet'], { target: '/b1024,n/pass', connections: 8, rounds: 1, seconds: 1 }).then(() => undefined, (e) => e);
    expect(/reached the origin/.test(error?.message ?? ''), `passes went for hits (${error?.message})`);
  });

  await test('load at a rate keeps its rate and counts from when a request was due', async () => {
    const { port } = world.servers.freshet;
    const r = await openLoop({ port, request: request(target, {}, port), folder: world.folder, rate: 1000, connections: 16, seconds: 2 });
    expect(r.sent > 1700 && r.sent < 2300 && r.answered === r.sent && r.errors === 0, JSON.stringify(r));
    expect(r.p50_us > 0 && r.p50_us <= r.p99_us && r.p99_us <= r.max_us, JSON.stringify(r));
    // An origin that takes 100 ms, one connection, 20 requests a second: the last of 20 waits for those before it.
    const slow = await openLoop({ port: world.origin.port, request: request('/w100/slow'), folder: world.folder, rate: 20, connections: 1, seconds: 1 });
    expect(slow.max_us > 500_000, `waiting was not counted: ${JSON.stringify(slow)}`);
  });

  await test('a crowd before a cold page is one request at the origin', async () => {
    const { port } = world.servers.freshet;
    const crowd = await Crowd.gather({ port, request: request('/b10240,w500,f/cold', {}, port), folder: world.folder, connections: 200 });
    const asked = await world.asked();
    crowd.ask();
    const r = await crowd.over();
    expect(r.complete === 200 && r.bad === 0, JSON.stringify(r));
    expect((await world.asked()) - asked === 1, `${(await world.asked()) - asked} requests`);
  });
} finally {
  await world.close();
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-bench-'));
const results = {};
await test('hits are measured', async () => {
  results.hits = await hits.run(quick);
  for (const m of hits.musts(results.hits)) console.log(`    ${m.what}: ${m.measured}`);
  for (const [name, f] of Object.entries(results.hits.cells[0].cell)) {
    expect(f.cpu_us[0] > 1 && f.cpu_us[0] < 1000 && f.rps[0] > 100 && f.p99[0] > 0, `${name}: ${JSON.stringify(f)}`);
  }
});
await test('other kinds of hits are measured', async () => {
  results.kinds = await kinds.run(quick);
  for (const m of kinds.musts(results.kinds)) console.log(`    ${m.what}: ${m.measured}`);
  expect(results.kinds.cells.length === 4, `${results.kinds.cells.length} kinds`);
});
await test('hits over TLS are measured', async () => {
  results.tls = await tls.run(quick);
  for (const m of tls.musts(results.tls)) console.log(`    ${m.what}: ${m.measured}`);
  expect(results.tls.cells.length === 4, `${results.tls.cells.length} kinds`);
});
await test('connections with TLS are measured', async () => {
  results.handshakes = await handshakes.run(quick);
  for (const m of handshakes.musts(results.handshakes)) console.log(`    ${m.what}: ${m.measured}`);
  expect(results.handshakes.shaken.full.freshet.cpu_us[0] > 50, JSON.stringify(results.handshakes));
});
await test('misses are measured, also from an https:// origin', async () => {
  const r = await fetches.run({ ...quick, have: ['freshet'] });
  for (const m of fetches.musts(r)) console.log(`    ${m.what}: ${m.measured}`);
  const f = r.cells[0].miss['freshet-https'];
  expect(f.cpu_us[0] > 1 && f.rps[0] > 10, JSON.stringify(f));
  expect(/https:\/\/ origin/.test(fetches.render(r)), 'it has its row');
});
await test('the document is written, notes are in it', () => {
  const at = { out: path.join(folder, 'out'), notes: path.join(folder, 'notes.md'), document: path.join(folder, 'document.md') };
  fs.writeFileSync(at.notes, 'not this\n\n## musts\n\nNoted under the list.\n\n## kinds\n\nNoted under a table.\n');
  for (const [name, data] of Object.entries(results)) {
    store(name, { when: new Date().toISOString(), load: 0, rounds: 1, seconds: 1, machine: machine(), versions: versions(), data }, at);
  }
  write([hits, kinds, tls, handshakes], at);
  const text = fs.readFileSync(at.document, 'utf8');
  for (const part of ['# Benchmarks', '## What must hold', 'Noted under the list.', `## ${hits.title}`, '| freshet |', `## ${kinds.title}`, 'Noted under a table.', `## ${tls.title}`, `## ${handshakes.title}`]) {
    expect(text.includes(part), `no "${part}" in it:\n${text}`);
  }
  expect(!text.includes('not this') && !/undefined|NaN/.test(text), `what has no place in it:\n${text}`);
});
fs.rmSync(folder, { recursive: true });

for (const [program, ...flags] of [['instructions.mjs', '--check'], ['heads.mjs']]) {
  const r = spawnSync(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...flags], { encoding: 'utf8' });
  console.log((r.stdout + r.stderr).replace(/^\d+ passed.*\n/m, '').trim());
  const own = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(r.stdout) ?? [0, 0, 1, 0];
  count.passed += +own[1];
  count.failed += +own[2];
  count.skipped += +own[3];
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exitCode = count.failed > 0 ? 1 : 0;
