// One tag on very many objects is purged: what the acknowledgement costs, and what visitors of another page notice of it.
import { ask } from '../lib/client.mjs';
import { Admin } from '../lib/freshet.mjs';
import { request } from '../lib/heads.mjs';
import { busy, flood, openLoop } from '../lib/load.mjs';
import { median } from '../lib/rounds.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'million';
export const title = 'A purge of one tag on very many objects';

const rate = 5000, connections = 64, patience_ms = 10_000, processes = 5;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function once(many, quick, say) {
  const world = await World.open();
  try {
    const server = await world.start('freshet', { cores: '0', workers: 1, memory: '4G' });
    const hot = '/b1024,u/hot', load = (seconds) => openLoop({ port: server.port, request: request(hot, {}, server.port), folder: world.folder, rate,
      connections, seconds });
    await world.warm('freshet', hot);
    const empty = { rss: server.rss() };
    await flood({ port: server.port, request: request('/b64,t1/p########', {}, server.port), folder: world.folder, requests: many });
    const admin = await Admin.open(server), { cache, memory } = await admin.status();
    const full = { rss: server.rss(), used: memory.used_bytes, objects: cache.objects };
    if (full.objects < many) throw new Error(`${full.objects} objects instead of ${many}`);
    say(`${full.objects} objects, ${size(full.used)}, RSS ${size(full.rss)}`);
    const seconds = quick ? 1 : 5, before = await load(seconds);
    // What visitors notice of any other work of that size on freshet's core: the machine's part.
    const [beside, other_ms] = await Promise.all([load(seconds), busy({ seconds, cores: '0' })]);

    // The first of a process's threads is main, which sweeps; the acknowledgement is the worker's.
    const worker = () => server.threadsNs().slice(1).reduce((a, b) => a + b, 0);
    for (let i = 0; i < 5; i++) await admin.purge([`warm-${i}`]);
    const main = () => server.threadsNs()[0], swept = main(), cpu = worker(), began = process.hrtime.bigint();
    await admin.purge(['all']);
    const acknowledged_us = Number(process.hrtime.bigint() - began) / 1000, acknowledged_cpu_us = (worker() - cpu) / 1000;
    const end = Date.now() + patience_ms, asked = await world.asked();
    const during = load(seconds), page = '/b64,t1/p00000001';
    await ask(server.port, request(page, {}, server.port));
    const missed = (await world.asked()) - asked;
    let given_back_ms;
    while (Date.now() < end && given_back_ms === undefined) {
      // What is known of the URLs stays for a while, within a sixteenth of the memory.
      if ((await admin.status()).cache.objects < many / 1000) given_back_ms = patience_ms - (end - Date.now());
      else await pause(100);
    }
    const sweep_ms = (main() - swept) / 1e6, loaded = await during, left = (await admin.status()).memory.used_bytes;
    const rss = server.rss();
    admin.close();
    say(`acknowledged in ${number(acknowledged_us, 0)} µs (CPU ${number(acknowledged_cpu_us, 0)}), given back after ${given_back_ms} ms; ` +
      `CPU ${number(sweep_ms, 0)} ms; p99 ${number(before.p99_us, 0)} -> ${number(loaded.p99_us, 0)} µs, beside other work ${number(beside.p99_us, 0)}, ` +
      `largest ${number(before.max_us, 0)} -> ${number(loaded.max_us, 0)} µs, ${number(beside.max_us, 0)}`);
    return { many, empty, full, before, beside, other_ms, loaded, sweep_ms, acknowledged_us, acknowledged_cpu_us, missed, given_back_ms, left, rss };
  } finally {
    await world.close();
  }
}

// Each time a new process; of each figure the median.
export async function run({ quick, say }) {
  const all = [];
  for (let i = 0; i < (quick ? 1 : processes); i++) all.push(await once(quick ? 20_000 : 1_000_000, quick, say));
  const middle = (pick) => (all.some((d) => pick(d) === undefined) ? undefined : median(all.map(pick)));
  const figures = (of, names) => Object.fromEntries(names.map((k) => [k, middle((d) => of(d)[k])]));
  const latency = ['p50_us', 'p99_us', 'max_us'];
  return {
    rounds: all.length,
    full: figures((d) => d.full, ['rss', 'used', 'objects']),
    before: figures((d) => d.before, latency),
    beside: figures((d) => d.beside, latency),
    loaded: figures((d) => d.loaded, latency),
    p99_times: middle((d) => d.loaded.p99_us / d.before.p99_us),
    beside_times: middle((d) => d.beside.p99_us / d.before.p99_us),
    missed: all.map((d) => d.missed).find((n) => n !== 1) ?? 1,
    ...figures((d) => d, ['many', 'acknowledged_us', 'acknowledged_cpu_us', 'given_back_ms', 'left', 'rss', 'sweep_ms', 'other_ms']),
  };
}

export function render(d) {
  return `${number(d.full.objects, 0)} objects of 64 bytes with two tags, all with the same first one; it is purged while a page without tags is asked for ${number(rate, 0)} times
a second over ${connections} connections (openloop.c). One worker; medians of ${d.rounds} processes.
Beside other work: not purged yet, and a program that has nothing to do with freshet counts on its core as the sweep
works, half of the time (busy.c).\n\n` + table(['', 'before', 'beside other work', 'from the purge on'], [
    ['hits: p50 ms', number(d.before.p50_us / 1000, 3), number(d.beside.p50_us / 1000, 3), number(d.loaded.p50_us / 1000, 3)],
    ['hits: p99 ms', number(d.before.p99_us / 1000, 3), number(d.beside.p99_us / 1000, 3), number(d.loaded.p99_us / 1000, 3)],
    ['hits: largest ms', number(d.before.max_us / 1000, 3), number(d.beside.max_us / 1000, 3), number(d.loaded.max_us / 1000, 3)],
    ['counted memory', size(d.full.used), '', size(d.left)],
    ['RSS', size(d.full.rss), '', size(d.rss)],
  ]) + `\n\nAcknowledged after ${number(d.acknowledged_us / 1000, 3)} ms, of which ${number(d.acknowledged_cpu_us / 1000, 3)} ms were CPU of the worker; all objects were given back after ${number(d.given_back_ms / 1000)} s, for which main took ${number(d.sweep_ms / 1000)} s of CPU
(the other work ${number(d.other_ms / 1000)} s). p99 to before, process by process: ${number(d.beside_times)} × beside other work, ${number(d.p99_times)} × from the purge on.`;
}

export function musts(d) {
  const what = `purge of a tag on ${number(d.many, 0)} objects: `, p99 = d.p99_times;
  return [
    { id: 'million-ack', what: `${what}acknowledged`, must: 'in under 1 ms of CPU', measured: `${number(d.acknowledged_cpu_us / 1000, 3)} ms`, holds: d.acknowledged_cpu_us < 1000 },
    { id: 'million-miss', what: `${what}the next request`, must: 'misses', measured: d.missed === 1 ? 'a miss' : `${d.missed} requests reached the origin`, holds: d.missed === 1 },
    { id: 'million-p99', what: `${what}hit p99 during it`, must: '≤ 1.2 × of before', measured: `${number(p99)} ×`, holds: p99 <= 1.2 },
    { id: 'million-memory', what: `${what}memory given back`, must: 'within 10 s', measured: d.given_back_ms === undefined ? 'not yet' : `${number(d.given_back_ms / 1000)} s`, holds: d.given_back_ms !== undefined },
    { id: 'million-stall', what: `${what}longest stall`, must: '≤ 2 ms', measured: `${number(d.loaded.max_us / 1000, 3)} ms (before: ${number(d.before.max_us / 1000, 3)} ms)`, holds: d.loaded.max_us <= 2000 },
  ];
}
