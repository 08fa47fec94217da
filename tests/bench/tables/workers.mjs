// How evenly two workers share the work of connections that stay.
import { wrk } from '../lib/load.mjs';
import { median } from '../lib/rounds.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'workers';
export const title = 'Two workers share the work';

const target = '/b1024/hit', most = 1.5, tries = 12;

export async function run({ quick, say }) {
  const world = await World.open(), cells = [];
  try {
    const server = await world.start('freshet', { cores: '0,1', workers: 2 });
    await world.warm('freshet', target);
    for (const connections of quick ? [8] : [8, 16, 64]) {
      const uneven = [];
      for (let i = 0; i < (quick ? 3 : tries); i++) {
        const before = server.threadsNs();
        await wrk({ port: server.port, target, connections, seconds: 1, cores: '0,1', threads: 2 });
        // The two busiest threads are the workers; main's sweeps a little.
        const [a, b] = server.threadsNs().map((x, k) => x - (before[k] ?? 0)).sort((x, y) => y - x);
        uneven.push(a / b);
      }
      cells.push({ connections, uneven });
      say(`${connections} connections: ${uneven.map((x) => number(x)).join(' ')}`);
    }
  } finally {
    await world.close();
  }
  return { cells };
}

export function render({ cells }) {
  return `CPU time of the busier worker over that of the other, 1 KB hits, ${tries} times a new set of connections that stay for a second.\n\n` +
    table(['connections', 'median', 'worst'], cells.map((c) => [c.connections, number(median(c.uneven)), number(Math.max(...c.uneven))]));
}

export function musts({ cells }) {
  return cells.map(({ connections, uneven }) => ({ id: `balance-${connections}`, what: `two workers, ${connections} connections: the busier over the other, worst of ${uneven.length}`,
    must: `≤ ${most} ×`, measured: `${number(Math.max(...uneven))} ×`, holds: Math.max(...uneven) <= most }));
}
