// Latency at one rate for all, from the moment at which each request was due.
import { request } from '../lib/heads.mjs';
import { openLoop, wrk } from '../lib/load.mjs';
import { peers } from '../lib/peers.mjs';
import { interleaved, median } from '../lib/rounds.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'latency';
export const title = 'Latency at a rate';

const target = '/b1024/hit', connections = 64, rounds_least = 7;

export async function run({ rounds, quick, have, say }) {
  const world = await World.open();
  try {
    const names = quick ? ['bare', 'freshet'] : have, caches = names.filter((n) => n !== 'bare' && n !== 'uring');
    for (const n of caches) {
      await world.start(n, { cores: '0', workers: 1, files: { [target.slice(1)]: 1024 } });
      await world.warm(n, target);
    }
    const response = await world.responseFile('hit', await world.warm('freshet', target));
    for (const n of names.filter((x) => !caches.includes(x))) await world.start(n, { cores: '0', workers: 1, response });
    const most = await interleaved(names, 2, async (n) => ({ rps: (await wrk({ port: world.servers[n].port, target, connections, seconds: 1 })).rps }));
    const slowest = Math.min(...names.map((n) => median(most[n].rps)));
    const rate = Math.floor(slowest * 0.7);
    say(`${rate} requests a second`);
    const cell = await interleaved(names, quick ? 1 : Math.max(rounds, rounds_least), async (n) => {
      const { port } = world.servers[n];
      let r;
      const m = await world.measured(n, async () => {
        r = await openLoop({ port, request: request(target, {}, port), folder: world.folder, rate, connections, seconds: quick ? 1 : 2 });
        return { requests: r.answered };
      });
      if (r.errors > 0 || r.answered !== r.sent || m.asked > 0) throw new Error(`${n}: ${JSON.stringify(r)}, ${m.asked} reached the origin`);
      return { p50_us: r.p50_us, p99_us: r.p99_us, p999_us: r.p999_us, max_us: r.max_us, cpu_us: m.cpu_us };
    });
    say(names.map((n) => `${n} ${number(median(cell[n].p99_us), 0)} µs`).join(', '));
    return { rate, cell };
  } finally {
    await world.close();
  }
}

export function render({ rate, cell }) {
  const rows = Object.entries(cell).map(([n, f]) => [peers[n].title, ...['p50_us', 'p99_us', 'p999_us', 'max_us'].map((k) => number(median(f[k]) / 1000, 3)),
    number(median(f.cpu_us))]);
  return `1 KB, ${connections} connections, one worker; ${number(rate, 0)} requests a second for all: 70 % of what the slowest of them can do. Gaps between
requests are exponential, the same for all; a latency counts from when its request was due (openloop.c). Medians of at
least ${rounds_least} rounds of 2 s.\n\n${table(['', 'p50 ms', 'p99 ms', 'p99.9 ms', 'largest ms', 'CPU µs'], rows)}`;
}

export function musts({ cell }) {
  const own = median(cell.freshet.p99_us);
  const others = Object.entries(cell).filter(([n]) => !['bare', 'uring', 'freshet', 'freshet_epoll'].includes(n)).map(([n, f]) => [n, median(f.p99_us)]);
  if (others.length === 0) return [];
  const [best, p99] = others.sort((a, b) => a[1] - b[1])[0];
  return [{ id: 'p99', what: 'p99 at a rate', must: `within 10 % or 0.2 ms of the best peer (${peers[best].title}, ${number(p99 / 1000, 3)} ms)`,
    measured: `${number(own / 1000, 3)} ms`, holds: own <= Math.max(p99 * 1.1, p99 + 200) }];
}
