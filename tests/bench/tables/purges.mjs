// Hits while something else is purged all the time.
import { purge } from '../lib/freshet.mjs';
import { openLoop, wrk } from '../lib/load.mjs';
import { interleaved, median, ratio } from '../lib/rounds.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'purges';
export const title = 'Hits during purges';

const objects = 1000, tags = 100, rate = 1000, connections = 64, most = 1.15;
const prefix = `/b1024,t${tags}/hot-`;

export async function run({ rounds, seconds, quick, say }) {
  const world = await World.open();
  try {
    const server = await world.start('freshet', { cores: '0', workers: 1 });
    await world.fill('freshet', Array.from({ length: objects }, (_, i) => `${prefix}${i}`));
    const one = async (kind) => {
      const purging = kind === 'without' ? undefined : openLoop({ port: server.admin, request: purge(['unrelated-########']), folder: world.folder,
        rate, connections: 1, seconds: seconds + 1 });
      const r = await world.measured('freshet', () => wrk({ port: server.port, target: '/', connections, seconds, script: 'rotate.lua',
        scriptArgs: [prefix, `${objects}`] }));
      const p = await purging;
      if (r.asked > 0 || r.errors > 0 || p?.errors > 0) throw new Error(`${kind}: ${JSON.stringify(r)} ${JSON.stringify(p)}`);
      return { cpu_us: r.cpu_us, rps: r.rps, p99: r.p99, purge_p99_us: p?.p99_us };
    };
    const cell = await interleaved(['without', 'with'], quick ? 1 : Math.max(rounds, 7), one);
    say(['without', 'with'].map((k) => `${k} ${number(median(cell[k].cpu_us))}`).join(', '));
    return { cell };
  } finally {
    await world.close();
  }
}

export function render({ cell }) {
  const rows = ['without', 'with'].map((k) => [k === 'with' ? `${rate} purges a second` : 'no purges', number(median(cell[k].cpu_us)),
    number(ratio(cell[k].cpu_us, cell.without.cpu_us)), number(median(cell[k].rps), 0), number(median(cell[k].p99)),
    number(median(cell[k].purge_p99_us) / 1000, 3)]);
  return `${number(objects, 0)} objects of 1 KB with ${tags} tags each, asked for in turn over ${connections} connections, one worker; each purge is of a tag that
no object has, another each time. CPU per hit, the purges' own included.\n\n` +
    table(['', 'CPU µs', '× without', 'requests/s', 'p99 ms', 'purge p99 ms'], rows);
}

export function musts({ cell }) {
  const x = ratio(cell.with.cpu_us, cell.without.cpu_us);
  return [{ id: 'purges', what: `hits of ${number(objects, 0)} objects of ${tags} tags, a purge of another tag each millisecond`, must: `≤ ${most} × without purges`,
    measured: `${number(x)} ×`, holds: x <= most }];
}
