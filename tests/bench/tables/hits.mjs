// Hits: sizes of bodies, numbers of connections, one worker and two.
import { digest, hitCell, placing } from '../lib/cell.mjs';
import { peers } from '../lib/peers.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'hits';
export const title = 'Hits';

const sizes = [1024, 10240, 102400];
const path = (bytes) => `/b${bytes}/hit`;
// All peers at 64 connections; at 8 and 512 the limits, freshet and H2O.
const few = ['bare', 'uring', 'freshet', 'h2o'];

export async function run({ rounds, seconds, quick, have, say }) {
  const cells = [];
  for (const workers of quick ? [1] : [1, 2]) {
    const world = await World.open();
    try {
      const at = placing(workers), caches = have.filter((n) => n !== 'bare' && n !== 'uring');
      const files = Object.fromEntries(sizes.map((b) => [path(b).slice(1), b]));
      for (const n of caches) await world.start(n, { cores: at.server, workers, files });
      for (const bytes of quick ? [1024] : sizes) {
        const target = path(bytes), heads = {};
        for (const n of caches) heads[n] = (await world.warm(n, target)).headBytes;
        const response = await world.responseFile('hit', await world.warm('freshet', target));
        for (const n of have.filter((x) => !caches.includes(x))) await world.start(n, { cores: at.server, workers, response });
        for (const connections of quick ? [64] : [64, 8, 512]) {
          const names = connections === 64 ? have : have.filter((n) => few.includes(n));
          const cell = await hitCell(world, names, { target, connections, at, rounds, seconds });
          cells.push({ workers, bytes, connections, heads, cell });
          say(`${workers} worker(s), ${size(bytes)}, ${connections} connections: ` + Object.entries(digest(cell))
            .map(([n, d]) => `${n} ${number(d.cpu_us)} (${number(d.ratio)})`).join(', '));
        }
        for (const n of have.filter((x) => !caches.includes(x))) await world.stop(n);
      }
    } finally {
      await world.close();
    }
  }
  return { cells };
}

const find = (data, workers, bytes, connections) =>
  data.cells.find((c) => c.workers === workers && c.bytes === bytes && c.connections === connections);

export function render({ cells }) {
  const parts = [`wrk -t1 -c CONNECTIONS on one core, the server with one worker on the other; with two workers both have both cores
(wrk -t2). CPU: user and system of all of a server's processes and threads, per request; × bare: the ratio to the
bare epoll server in the same round, median of the rounds. All peers at 64 connections, some of them at 8 and 512.
The bare servers answer with the bytes of freshet's answer.`];
  for (const { workers, bytes, connections, heads, cell } of cells) {
    const rows = Object.entries(digest(cell)).map(([n, d]) => [peers[n].title, number(d.cpu_us), number(d.ratio), number(d.rps, 0), number(d.p99),
      heads[n] ?? heads.freshet]);
    parts.push(`**${size(bytes)}, ${connections} connections, ${workers === 1 ? 'one worker' : 'two workers'}**\n\n` +
      table(['', 'CPU µs', '× bare', 'requests/s', 'p99 ms', 'head bytes'], rows));
  }
  return parts.join('\n\n');
}

export function musts(data) {
  const list = [];
  const at = (workers, bytes, connections, most) => {
    const c = find(data, workers, bytes, connections);
    if (!c?.cell.freshet) return;
    const { ratio } = digest(c.cell).freshet;
    list.push({ id: `hits-${bytes}-${connections}`, what: `hit, ${size(bytes)}, ${connections} connections`, must: `≤ ${most} × bare`,
      measured: `${number(ratio)} ×`, holds: ratio <= most });
  };
  at(1, 1024, 64, 1.15);
  at(1, 10240, 64, 1.15);
  at(1, 102400, 64, 1.1);
  at(1, 1024, 512, 1.25);
  at(1, 10240, 512, 1.25);
  return list;
}
