// A crowd before one cold page.
import { request } from '../lib/heads.mjs';
import { Crowd } from '../lib/load.mjs';
import { ask } from '../lib/client.mjs';
import { median } from '../lib/rounds.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'collapse';
export const title = 'A crowd before one cold page';

const bytes = 10240;

// All connections stand, all ask; the origin's head comes when everybody waits. Then the same crowd for a page that is there.
async function once(world, server, connections, run) {
  const wait = connections >= 10_000 ? 3000 : 600, target = `/b${bytes},w${wait},f/cold-${connections}-${run}`;
  const bytesOf = request(target, {}, server.port), crowd = async () => {
    const c = await Crowd.gather({ port: server.port, request: bytesOf, folder: world.folder, connections });
    const before = server.cpuNs(), asked = await world.asked();
    c.ask();
    const r = await c.over();
    if (r.complete !== connections || r.bad > 0) throw new Error(`not all got the same: ${JSON.stringify(r)}`);
    return { ...r, cpu_us: (server.cpuNs() - before) / 1000, asked: (await world.asked()) - asked };
  };
  const cold = await crowd(), first = +(await ask(world.origin.port, request('/first'))).body.toString();
  const late = cold.sent_ns > first; // somebody asked after the head: it was no cold page for him
  const warm = await crowd();
  if (warm.asked > 0) throw new Error('the warm crowd reached the origin');
  return { asked: cold.asked, first_us: (cold.first_ns - first) / 1000, all_ms: (cold.done_ns - first) / 1e6, cpu_us: cold.cpu_us / connections,
    hits_us: warm.cpu_us / connections, late: late ? 1 : 0 };
}

export async function run({ rounds, quick, say }) {
  const world = await World.open(), cells = [];
  try {
    for (const connections of quick ? [1000] : [1000, 10_000]) {
      const server = await world.start('freshet', { cores: '0', workers: 1 });
      const all = {};
      for (let i = 0; i < (quick ? 1 : rounds); i++) {
        for (const [k, x] of Object.entries(await once(world, server, connections, i))) (all[k] ??= []).push(x);
      }
      await world.stop('freshet');
      cells.push({ connections, all });
      say(`${connections}: ${Object.entries(all).map(([k, l]) => `${k} ${number(median(l), 1)}`).join(', ')}`);
    }
  } finally {
    await world.close();
  }
  return { cells };
}

const times = (all) => median(all.cpu_us.map((x, i) => x / all.hits_us[i]));

export function render({ cells }) {
  return `So many connections stand and ask for the same page of 10 KB that nobody has; the origin answers when all wait. Every body is compared. "Hits": the
same crowd, on new connections, for the page that is there now. One worker.\n\n` +
    table(['connections', 'requests at the origin', "first byte after the origin's, ms", 'all served, ms', 'CPU µs each', 'as hits, CPU µs each', 'ratio'],
      cells.map(({ connections, all }) => [number(connections, 0), Math.max(...all.asked), number(median(all.first_us) / 1000, 3), number(median(all.all_ms), 1),
        number(median(all.cpu_us)), number(median(all.hits_us)), number(times(all))]));
}

export function musts({ cells }) {
  return cells.flatMap(({ connections, all }) => {
    const what = `${number(connections, 0)} requests for one cold page: `, first = median(all.first_us), x = times(all);
    return [
      { id: `collapse-one-${connections}`, what: `${what}requests at the origin`, must: '1', measured: `${Math.max(...all.asked)}`, holds: Math.max(...all.asked) === 1 },
      { id: `collapse-first-${connections}`, what: `${what}first joiner's first byte`, must: "≤ 1 ms after the origin's", measured: `${number(first / 1000, 3)} ms`, holds: first <= 1000 },
      { id: `collapse-cpu-${connections}`, what: `${what}CPU of the whole crowd`, must: '≤ 1.2 × of as many hits', measured: `${number(x)} ×`, holds: x <= 1.2 },
    ];
  });
}
