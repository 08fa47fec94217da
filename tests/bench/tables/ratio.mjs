// How much of what is asked for again is still there: freshet's eviction in a loop, without the rest (hit_ratio.c).
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { programs, repository } from '../lib/peers.mjs';
import { number, table } from '../lib/text.mjs';

export const name = 'ratio';
export const title = 'Hit ratio';

// A shop's product pages, of the cache2k benchmark: outside this repository, found when it lies beside it.
const trace = path.join(repository, '../shared/data/web07.trace.xz');
// S3-FIFO on it, each page counted as one, at 1, 5, 10 and 25 % of the pages: a reference simulation, not ours.
const reference = { 1: 0.438, 5: 0.542, 10: 0.581, 25: 0.642 };
const near = 0.005;

const lines = (out) => out.trim().split('\n').map((l) => JSON.parse(l));

export async function run({ say }) {
  const program = path.join(programs, 'hit_ratio'), rows = [];
  const found = process.env.BENCH_TRACE ?? trace;
  if (fs.existsSync(found)) {
    const file = path.join(os.tmpdir(), `freshet-bench-trace.${process.pid}`);
    fs.writeFileSync(file, execFileSync('xz', ['-dc', found], { maxBuffer: 1 << 26 }));
    rows.push(...lines(execFileSync(program, ['trace', file], { encoding: 'utf8' })));
    fs.rmSync(file);
  } else {
    say(`no ${path.basename(found)}`);
  }
  rows.push(...lines(execFileSync(program, ['mix'], { encoding: 'utf8' })));
  for (const r of rows) say(`${r.mix}, ${r.percent} %: ${number(r.ours, 3)}, LRU ${number(r.lru, 3)}`);
  return { rows };
}

const isTrace = (r) => r.mix === 'web07';

export function render({ rows }) {
  const parts = [];
  if (rows.some(isTrace)) {
    parts.push(`**web07** (product pages of a shop, 76,118 requests for 20,484 pages), every page counted as one; reference: a simulation of S3-FIFO\n\n` +
      table(['capacity', 'freshet', 'reference', 'LRU', 'FIFO'], rows.filter(isTrace).map((r) =>
        [`${r.percent} % of the pages`, number(r.ours, 3), number(reference[r.percent], 3), number(r.lru, 3), number(r.fifo, 3)])));
  }
  parts.push(`**Mixes**: 1,000,000 requests for 100,000 pages whose sizes are log-normal (median 10 KB), weighed by bytes. "Moves on": a page is popular
for 200,000 requests, then another takes its rank, each at its own time; "all changes at once": all at the same.\n\n` +
    table(['mix, capacity', 'freshet', 'LRU', 'FIFO', 'freshet, bytes', 'LRU, bytes', 'FIFO, bytes'], rows.filter((r) => !isTrace(r)).map((r) =>
      [`${r.mix}, ${r.percent} %`, ...[r.ours, r.lru, r.fifo, r.ours_bytes, r.lru_bytes, r.fifo_bytes].map((x) => number(x, 3))])));
  return parts.join('\n\n');
}

export function musts({ rows }) {
  const list = [];
  const unit = rows.filter(isTrace), off = unit.map((r) => r.ours - reference[r.percent]);
  const below = Math.max(0, -Math.min(...off)), above = Math.max(0, ...off);
  if (unit.length > 0) list.push({ id: 'ratio-trace', what: 'hit ratio on web07, unit weights, four sizes', must: `within ${near} of the S3-FIFO reference`,
    measured: `at most ${number(below, 4)} below, ${number(above, 4)} above`, holds: below <= near && above <= near });
  for (const mix of new Set(rows.filter((r) => !isTrace(r)).map((r) => r.mix))) {
    const of = rows.filter((r) => r.mix === mix), gain = of.map((r) => [r.ours - r.lru, r.percent]).sort((a, b) => a[0] - b[0])[0];
    list.push({ id: `ratio-${mix}`, what: `hit ratio, byte-weighted: ${mix}`, must: 'above LRU at each size', measured: `${gain[0] < 0 ? '' : '+'}${number(gain[0], 3)} at ${gain[1]} %`, holds: gain[0] > 0 });
  }
  return list;
}
