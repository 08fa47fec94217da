// What a second worker costs, and how evenly two share the work of connections that stay.
import { digest, hitCell } from '../lib/cell.mjs';
import { wrk } from '../lib/load.mjs';
import { peers } from '../lib/peers.mjs';
import { median } from '../lib/rounds.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'workers';
export const title = 'Two workers';

const most = 1.05, most_uneven = 1.5, tries = 12;
const sizes = [1024, 10240];

// One worker and its load on one core; two workers and twice the load on two. So each core does the same in both, and what
// differs is only that there are two.
const places = [
  { workers: 1, at: { server: '0', load: '0', threads: 1 }, connections: 32 },
  { workers: 2, at: { server: '0,1', load: '0,1', threads: 2 }, connections: 64 },
];

const fixed = ['bare', 'uring'];

// `wanted`: the servers, of which bare is one. two_workers.mjs asks for others.
export async function cost({ rounds, seconds, quick, have }, say, wanted = ['bare', 'freshet', 'haproxy', 'h2o']) {
  const cells = [];
  for (const bytes of quick ? [1024] : sizes) {
    for (const { workers, at, connections } of places) {
      const world = await World.open();
      try {
        const target = `/b${bytes}/hit`, names = have.filter((n) => wanted.includes(n)), options = { cores: at.server, workers };
        for (const n of names.filter((x) => !fixed.includes(x))) {
          await world.start(n, { ...options, files: { [target.slice(1)]: bytes } });
          await world.warm(n, target);
        }
        const response = await world.responseFile('hit', await world.warm('freshet', target));
        for (const n of names.filter((x) => fixed.includes(x))) await world.start(n, { ...options, response });
        const cell = await hitCell(world, names, { target, connections, at, rounds, seconds });
        cells.push({ bytes, workers, cell });
        say(`${size(bytes)}, ${workers} worker(s): ${Object.entries(digest(cell)).map(([n, d]) => `${n} ${number(d.cpu_us)} (${number(d.ratio)})`).join(', ')}`);
      } finally {
        await world.close();
      }
    }
  }
  return cells;
}

async function balance({ quick }, say) {
  const world = await World.open(), cells = [];
  try {
    const target = '/b1024/hit', server = await world.start('freshet', { cores: '0,1', workers: 2 });
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
  return cells;
}

export async function run(given) {
  return { cost: await cost(given, given.say), balance: await balance(given, given.say) };
}

const at = (data, bytes, workers) => digest(data.cost.find((c) => c.bytes === bytes && c.workers === workers).cell);
const measured = (data) => sizes.filter((b) => data.cost.some((c) => c.bytes === b));

export function render(data) {
  const rows = measured(data).flatMap((bytes) => {
    const one = at(data, bytes, 1), two = at(data, bytes, 2);
    return Object.keys(one).map((n) => [`${size(bytes)}: ${peers[n].title}`, number(one[n].cpu_us), number(one[n].ratio), number(two[n].cpu_us), number(two[n].ratio),
      number(two[n].ratio / one[n].ratio), number(two[n].rps / one[n].rps)]);
  });
  return `**What the second one costs.** One worker and its load (wrk -t1 -c32) together on one core, against two workers and twice the load (wrk -t2 -c64)
on two cores: each core does the same work in both. (Among the hits above, one worker has a core for itself: there it is
idle while wrk is behind, and waking costs bare more than the others, which are never idle.)\n\n` +
    table(['', 'one: CPU µs', '× bare', 'two: CPU µs', '× bare', 'two / one', 'requests/s, two / one'], rows) +
    `\n\n**How even they are.** CPU time of freshet's busier worker over that of the other, 1 KB hits, ${tries} times a new set of connections that stay for
a second.\n\n` + table(['connections', 'median', 'worst'], data.balance.map((c) => [c.connections, number(median(c.uneven)), number(Math.max(...c.uneven))]));
}

export function musts(data) {
  return [
    ...measured(data).map((bytes) => {
      const x = at(data, bytes, 2).freshet.ratio / at(data, bytes, 1).freshet.ratio;
      return { id: `workers-${bytes}`, what: `two workers, ${size(bytes)}: ratio to a two-thread bare server`, must: `≤ ${most} × that of one worker`, measured: `${number(x)} ×`, holds: x <= most };
    }),
    ...data.balance.map(({ connections, uneven }) => ({ id: `balance-${connections}`, what: `two workers, ${connections} connections that stay: the busier over the other, worst of ${uneven.length}`,
      must: `≤ ${most_uneven} ×`, measured: `${number(Math.max(...uneven))} ×`, holds: Math.max(...uneven) <= most_uneven })),
  ];
}
