// make bench: measures tables, keeps their raw results in out/, and writes docs/BENCHMARKS.md from all that are there.
// Usage: node tests/bench/run.mjs [--tables A,B] [--rounds N] [--seconds N] [--quick] [--peers A,B] [--document]
//   --tables    only these, all others keep their latest results; none given: all
//   --rounds    how often each server's turn comes (5); --seconds: how long a turn is (1)
//   --quick     small: one worker, 1 KB, 64 connections, bare and freshet; nothing is kept or written
//   --peers     only these servers (bare and freshet always)
//   --document  measure nothing, only write the document anew
import fs from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { store, write } from './lib/document.mjs';
import { available, machine, versions } from './lib/machine.mjs';
import * as collapse from './tables/collapse.mjs';
import * as fetches from './tables/fetches.mjs';
import * as handshakes from './tables/handshakes.mjs';
import * as hits from './tables/hits.mjs';
import * as instructions from './tables/instructions.mjs';
import * as kinds from './tables/kinds.mjs';
import * as large from './tables/large.mjs';
import * as latency from './tables/latency.mjs';
import * as life from './tables/life.mjs';
import * as memory from './tables/memory.mjs';
import * as million from './tables/million.mjs';
import * as purges from './tables/purges.mjs';
import * as ratio from './tables/ratio.mjs';
import * as tls from './tables/tls.mjs';
import * as workers from './tables/workers.mjs';

// In the order of the document.
const tables = [hits, kinds, tls, handshakes, fetches, latency, workers, purges, million, memory, ratio, collapse, large, life, instructions];

function arguments_() {
  const given = { tables: tables.map((t) => t.name), rounds: 5, seconds: 1, quick: false, document: false };
  const argv = process.argv.slice(2);
  while (argv.length > 0) {
    const flag = argv.shift();
    if (flag === '--help') {
      // The comment at the head of this file.
      console.log(fs.readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\nimport')[0].replace(/^\/\/ ?/gm, ''));
      process.exit(0);
    } else if (flag === '--quick') given.quick = true;
    else if (flag === '--document') given.document = true;
    else if (flag === '--tables') given.tables = argv.shift().split(',').filter(Boolean);
    else if (flag === '--peers') given.peers = argv.shift().split(',').filter(Boolean);
    else if (flag === '--rounds') given.rounds = +argv.shift();
    else if (flag === '--seconds') given.seconds = +argv.shift();
    else throw new Error(`unknown: ${flag}`);
  }
  const unknown = given.tables.filter((n) => !tables.some((t) => t.name === n));
  if (unknown.length > 0) throw new Error(`no table ${unknown.join(', ')}; there are ${tables.map((t) => t.name).join(', ')}`);
  return given;
}

function minutes(ms) {
  return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
}

async function measure(t, given) {
  const began = Date.now(), load = os.loadavg()[0];
  const have = available().filter((n) => n === 'bare' || n === 'freshet' || (given.peers ? given.peers.includes(n) : !given.quick));
  console.log(`${t.name}: ${have.join(' ')}${load > 0.7 ? ` (the machine is not idle: load ${load.toFixed(1)})` : ''}`);
  const data = await t.run({ ...given, have, say: (line) => console.log(`  ${line}`) });
  console.log(`  ${minutes(Date.now() - began)}`);
  return { when: new Date(began).toISOString(), took_ms: Date.now() - began, load, rounds: given.rounds, seconds: given.seconds,
    machine: machine(), versions: versions(), data };
}

async function main() {
  const given = arguments_(), began = Date.now(), failed = [];
  for (const t of given.document ? [] : tables.filter((x) => given.tables.includes(x.name))) {
    try {
      const result = await measure(t, given);
      if (!given.quick) store(t.name, result);
      else for (const m of t.musts?.(result.data) ?? []) console.log(`  ${m.holds ? 'holds' : 'FAILS'}: ${m.what}: ${m.measured} (${m.must})`);
    } catch (e) {
      failed.push(t.name);
      console.error(`${t.name}: ${e.stack}`);
    }
  }
  if (!given.quick) {
    const { document, musts } = write(tables);
    for (const m of musts) console.log(`${m.holds ? 'holds' : 'FAILS'}: ${m.what}: ${m.measured} (${m.must})`);
    console.log(`written: ${document}`);
  }
  console.log(`in ${minutes(Date.now() - began)}${failed.length > 0 ? `; not measured: ${failed.join(', ')}` : ''}`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

main().catch((e) => {
  console.error(`bench: ${e.message}`);
  process.exitCode = 2;
});
