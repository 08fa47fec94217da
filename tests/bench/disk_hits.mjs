// What a hit costs whose page is on disk alone, beside a hit from memory: CPU us a request of one worker (the threads that read included), with
// one client and with 64 at once. Cold: the page cache was emptied before (needs root); warm: it has the pages, as it has those that are asked
// for often. Each page is asked for once a pass, in the order in which they were stored, so that memory never has it. And when the first hit comes after a start.
// `make all bench-programs` first. Usage: node tests/bench/disk_hits.mjs FOLDER [PAGES]      FOLDER: on the disk to be measured
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Admin } from './lib/freshet.mjs';
import { request } from './lib/heads.mjs';
import { flood } from './lib/load.mjs';
import { freshetProgram, startOrigin } from './lib/peers.mjs';
import { freePort } from './lib/port.mjs';
import { Server } from './lib/server.mjs';

const [where, pages_ = '20000'] = process.argv.slice(2);
if (!where) throw new Error('Usage: node tests/bench/disk_hits.mjs FOLDER [PAGES]');
const pages = +pages_, folder = fs.mkdtempSync(path.join(path.resolve(where), 'disk-hits-'));
const origin = await startOrigin({ cores: '1', folder });

const port = await freePort(), admin = await freePort(); // of both lives: the port is in the key

async function start(memory) {
  const s = await Server.start('freshet', [freshetProgram, 'run', '--origin', `http://127.0.0.1:${origin.port}`, '--listen', `127.0.0.1:${port}`,
    '--admin', `127.0.0.1:${admin}`, '--token', 'bench', '--state', path.join(folder, 'state'), '--workers', '1', '--memory', memory,
    '--disk', '4G', '--disk-rate', '0'], { port, cores: '0', folder });
  s.admin = admin;
  return s;
}

async function status(s) {
  const a = await Admin.open(s), r = await a.status();
  a.close();
  return r;
}

const pass = (s, connections) => flood({ port: s.port, request: request('/b4096,u/########', {}, s.port), folder, requests: pages, connections });

async function cost(s, connections) {
  const before = s.cpuNs(), then = await status(s);
  await pass(s, connections);
  const us = (s.cpuNs() - before) / 1000 / pages, now = await status(s);
  return { us, hits: now.requests.hits - then.requests.hits, read: now.disk.read - then.disk.read };
}

function emptyCache() {
  try {
    fs.writeFileSync('/proc/sys/vm/drop_caches', '1');
    return true;
  } catch {
    return false;
  }
}

try {
  let s = await start('1G');
  await pass(s, 64);
  while ((await status(s)).disk.responses < pages) await pause(50);
  const memory = { 1: await cost(s, 1), 64: await cost(s, 64) };
  await s.stop();
  emptyCache();
  const began = performance.now();
  s = await start('8M');
  await flood({ port: s.port, request: request(`/b4096,u/${String(pages - 1).padStart(8, '0')}`, {}, s.port), folder, requests: 1, connections: 1 });
  const first = performance.now() - began, hit = (await status(s)).requests.hits;
  while (!(await status(s)).disk.complete) await pause(5);
  const rows = [['memory', memory]];
  for (const kind of ['cold', 'warm']) {
    const row = {};
    for (const connections of [1, 64]) {
      if (kind === 'cold' && !emptyCache()) continue;
      row[connections] = await cost(s, connections);
    }
    if (row[1]) rows.push([kind, row]);
  }
  await s.stop();
  console.log(`first answer ${first.toFixed(0)} ms after the start, ${hit ? 'a hit' : 'no hit'}`);
  console.log(`${pages} pages of 4 KB; CPU us a hit, and the part of the hits that was read from disk`);
  for (const [name, row] of rows)
    console.log(`${name.padEnd(8)} ${[1, 64].map((n) => `${n} at once: ${row[n].us.toFixed(1)} (+${(row[n].us - memory[n].us).toFixed(1)}), ` +
      `${((100 * row[n].read) / pages).toFixed(0)} % read, ${((100 * row[n].hits) / pages).toFixed(0)} % hits`).join('   ')}`);
} finally {
  await origin.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
