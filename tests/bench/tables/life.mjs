// Starting, and doing nothing.
import { request } from '../lib/heads.mjs';
import { Crowd } from '../lib/load.mjs';
import { peers } from '../lib/peers.mjs';
import { median } from '../lib/rounds.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'life';
export const title = 'Start and idle';

// What a server does after its start (a file of its store is made) is no idling.
const idle_connections = 10_000, idle_ms = 3000, settle_ms = 3000, idle_us_most = 500, wakes_most = 10;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function run({ rounds, quick, have, say }) {
  const names = have.filter((n) => !['bare', 'uring', 'freshet_epoll'].includes(n)), cells = {}, world = await World.open();
  try {
    for (const n of names) {
      const start_ms = [];
      for (let i = 0; i < (quick ? 1 : Math.min(rounds, 3)); i++) {
        if (i > 0) await world.stop(n);
        const began = performance.now();
        await world.start(n, { cores: '0', workers: 1, files: { 'b1024/hit': 1024 } });
        await world.warm(n, '/b1024/hit', {}, { hits: false });
        start_ms.push(performance.now() - began);
      }
      const server = world.servers[n];
      server.look();
      await pause(settle_ms);
      const start_cpu_ms = server.cpuNs() / 1e6, s = idle_ms / 1000;
      const cpu = server.cpuNs(), waits = server.waits();
      await pause(idle_ms);
      cells[n] = { start_ms, start_cpu_ms, rss: server.rss(), processes: server.pids.length, idle_us: (server.cpuNs() - cpu) / 1000 / s, wakes: (server.waits() - waits) / s };
      if (n === 'freshet') {
        const crowd = await Crowd.gather({ port: server.port, request: request('/b1024/hit'), folder: world.folder, connections: idle_connections });
        await pause(500);
        const held = server.cpuNs();
        await pause(1000);
        cells[n].connections_rss = server.rss();
        cells[n].connections_us = (server.cpuNs() - held) / 1000;
        await crowd.leave();
      }
      await world.stop(n);
      say(`${n}: ${number(median(start_ms), 0)} ms, RSS ${size(cells[n].rss)}, idle ${number(cells[n].idle_us, 0)} µs/s, ${number(cells[n].wakes, 1)} wakes/s`);
    }
  } finally {
    await world.close();
  }
  return { cells };
}

export function render({ cells }) {
  const { freshet: f } = cells;
  return `One worker, nothing stored but one page. Start: from the call to the first answer, through the origin. CPU of the start: all until
${settle_ms / 1000} s after it. Idle: from then on, CPU time and threads woken, a second, while nobody asks. RSS of all processes, what they share counted in each.\n\n` +
    table(['', 'start ms', 'CPU of the start, ms', 'RSS', 'processes', 'idle µs/s', 'wakes/s'], Object.entries(cells).map(([n, c]) => [peers[n].title, number(median(c.start_ms), 0), number(c.start_cpu_ms, 0), size(c.rss), c.processes, number(c.idle_us, 0), number(c.wakes, 1)])) +
    `\n\nfreshet with ${number(idle_connections, 0)} idle connections: RSS ${size(f.connections_rss)}, ${number((f.connections_rss - f.rss) / idle_connections, 0)} bytes each, ${number(f.connections_us, 0)} µs of CPU a second.`;
}

export function musts({ cells: { freshet: f } }) {
  const more = f.connections_rss - f.rss;
  return [
    { id: 'idle', what: 'idle, an empty cache, one worker: RSS', must: '< 12 MB', measured: size(f.rss), holds: f.rss < 12e6 },
    { id: 'idle-cpu', what: 'idle, an empty cache, one worker: CPU', must: `≤ ${idle_us_most} µs a second`, measured: `${number(f.idle_us, 0)} µs`, holds: f.idle_us <= idle_us_most },
    { id: 'idle-wakes', what: 'idle, an empty cache, one worker: threads woken', must: `≤ ${wakes_most} a second`, measured: number(f.wakes, 1), holds: f.wakes <= wakes_most },
    { id: 'idle-connections', what: `${number(idle_connections, 0)} idle connections: RSS`, must: '< 30 MB more', measured: `+${size(more)}`, holds: more < 30e6 },
  ];
}
