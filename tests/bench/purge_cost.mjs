// What a purge costs that is answered when it is on disk, over HTTP: CPU us of the whole process, thread by thread, with 1, 8 and 64 connections that
// each ask again when they were answered, and what those wait who ask 1,000 and 10,000 times a second. durable.c measures the same without HTTP.
// `make all bench-programs` first. Usage: node tests/bench/purge_cost.mjs FOLDER [PURGES]      FOLDER: on the disk to be measured
import fs from 'node:fs';
import path from 'node:path';
import { purge } from './lib/freshet.mjs';
import { flood, openLoop } from './lib/load.mjs';
import { freshetProgram } from './lib/peers.mjs';
import { freePort } from './lib/port.mjs';
import { Server } from './lib/server.mjs';

const [where, purges_ = '20000'] = process.argv.slice(2);
if (!where) throw new Error('Usage: node tests/bench/purge_cost.mjs FOLDER [PURGES]');
const purges = +purges_, folder = fs.mkdtempSync(path.join(path.resolve(where), 'purge-cost-')), request = purge(['a-########']);
const port = await freePort(), admin = await freePort();
const s = await Server.start('freshet', [freshetProgram, 'run', '--origin', 'http://127.0.0.1:1', '--listen', `127.0.0.1:${port}`,
  '--admin', `127.0.0.1:${admin}`, '--token', 'bench', '--state', path.join(folder, 'state'), '--workers', '1', '--keepalive-requests', '1000000000',
  ...process.argv.slice(4)],
{ port, cores: '0', folder });

// Nanoseconds of each thread that took some, by its name.
function taken(before, after) {
  const by = {};
  for (const [id, t] of Object.entries(after)) by[t.name] = (by[t.name] ?? 0) + t.ns - (before[id]?.ns ?? 0);
  return Object.entries(by).filter(([, ns]) => ns > 0).sort(([, a], [, b]) => b - a);
}

function threads() {
  const all = {};
  for (const pid of s.pids)
    for (const task of fs.readdirSync(`/proc/${pid}/task`)) {
      const at = `/proc/${pid}/task/${task}`;
      all[task] = { name: fs.readFileSync(`${at}/comm`, 'utf8').trim(), ns: +fs.readFileSync(`${at}/schedstat`, 'utf8').split(' ')[0] };
    }
  return all;
}

async function measured(what, work) {
  s.look();
  const before = threads(), r = await work(), n = r.requests ?? r.answered, by = taken(before, threads());
  const us = (ns) => (ns / 1000 / n).toFixed(1);
  console.log(`${what.padEnd(18)} CPU ${us(by.reduce((sum, [, ns]) => sum + ns, 0)).padStart(6)} us each (${by.map(([name, ns]) => `${name} ${us(ns)}`).join(', ')})` +
    (r.requests ? '' : `, p50 ${r.p50_us} us, p99 ${r.p99_us} us`));
}

try {
  await flood({ port: admin, request, folder, requests: 2000, connections: 8 });
  for (const connections of [1, 8, 64])
    await measured(`${connections} at once`, async () => ({ ...await flood({ port: admin, request, folder, requests: purges, connections }), requests: purges }));
  for (const rate of [1000, 10000])
    await measured(`${rate} a second`, async () => {
      const r = await openLoop({ port: admin, request, folder, rate, connections: 64, seconds: 5 });
      if (r.errors > 0) throw new Error(`${r.errors} were refused: ${JSON.stringify(r)}`);
      return r;
    });
} finally {
  await s.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
