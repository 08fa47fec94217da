// One cell of a table: the same load on several servers, interleaved, CPU per request and what wrk says.
import { wrk } from './load.mjs';
import { interleaved, median, ratio } from './rounds.mjs';

// Cores and wrk's threads for a number of workers: one worker has a core, the load the other; two share both with the load.
export function placing(workers) {
  return workers === 1 ? { server: '0', load: '1', threads: 1 } : { server: '0,1', load: '0,1', threads: 2 };
}

// `names` are servers of the world, `at` where the load is. Results: { name: { cpu_us: [...], rps: [...], p99: [...] } }. Whoever asks the origin meanwhile
// did not only give hits: that ends the bench.
export async function hitCell(world, names, { target, fields, connections, at = placing(1), rounds, seconds }) {
  return interleaved(names, rounds, async (name) => {
    const r = await world.measured(name, (server) => wrk({ port: server.port, target, fields, connections, seconds, cores: at.load,
      threads: Math.min(at.threads, connections) }));
    if (r.asked > 0) throw new Error(`${name}: ${r.asked} requests reached the origin: not only hits`);
    if (r.errors > 0 || r.requests === 0) throw new Error(`${name}: ${r.requests} answers, ${r.errors} errors`);
    return { cpu_us: r.cpu_us, rps: r.rps, p99: r.p99 };
  });
}

// Medians of a cell: { name: { cpu_us, rps, p99, ratio } }, the ratio of CPU to that of `to` in the same round.
export function digest(cell, to = 'bare') {
  return Object.fromEntries(Object.entries(cell).map(([name, f]) => [name, {
    cpu_us: median(f.cpu_us), rps: median(f.rps), p99: median(f.p99), ratio: cell[to] && ratio(f.cpu_us, cell[to].cpu_us) }]));
}
