// What connections with TLS cost: the handshake, and the memory of one that is idle.
import { handshakes, Standing } from '../lib/load.mjs';
import { bareTls, peers } from '../lib/peers.mjs';
import { interleaved, median, ratio } from '../lib/rounds.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'handshakes';
export const title = 'Connections with TLS';

const target = '/b1024/hit';
const speaks = ['freshet', 'freshet_epoll', 'nginx', 'haproxy', 'h2o'];
const titles = { ...Object.fromEntries(Object.entries(peers).map(([n, p]) => [n, p.title])), bare_tls: bareTls.title };
const load = { target, bytes: 1024 };
const idle_connections = 1500;
const idle_kinds = [{ id: 'h1', what: 'HTTP/1.1', most: 16 }, { id: 'h2', what: 'HTTP/2', streams: 1, most: 20 }];

export async function run({ rounds, seconds, quick, have, say }) {
  const names = have.filter((n) => speaks.includes(n)), world = await World.open(), shaken = {}, idle = {};
  const options = { cores: '0', workers: 1, files: { [target.slice(1)]: 1024 }, tls: true };
  try {
    for (const n of names) {
      await world.start(n, options);
      await world.warmTls(n, target);
    }
    options.response = await world.responseFile('hit', await world.warm('freshet', target));
    names.unshift('bare_tls');
    await world.start('bare_tls', options);
    for (const kind of ['full', 'resumed']) {
      shaken[kind] = await interleaved(names, rounds, async (n) => {
        const r = await world.measured(n, (s) => handshakes({ ...load, port: s.tls, kind, connections: 4, seconds }));
        return { cpu_us: r.cpu_us, rps: r.rps };
      });
      say(`${kind}: ${names.map((n) => `${n} ${number(median(shaken[kind][n].cpu_us), 0)}`).join(', ')}`);
    }
    // Each in a new process, since memory that was used once is there for the next.
    for (const k of idle_kinds) {
      for (const n of names) {
        if (world.servers[n]) await world.stop(n);
        const server = await world.start(n, options);
        if (n !== 'bare_tls') await world.warmTls(n, target);
        (idle[k.id] ??= {})[n] = await held(server, k, quick ? 100 : idle_connections);
        await world.stop(n);
      }
      say(`idle, ${k.what}: ${names.map((n) => `${n} ${number(idle[k.id][n] / 1024, 1)} KB`).join(', ')}`);
    }
  } finally {
    await world.close();
  }
  return { shaken, idle };
}

// Bytes of the server's memory for each connection that stands there after one answer. A few go first, so that what all share is there.
async function held(server, { streams }, connections) {
  const few = await Standing.gather({ ...load, port: server.tls, streams, connections: 10 });
  server.look();
  const before = server.rss(), many = await Standing.gather({ ...load, port: server.tls, streams, connections });
  server.look();
  const bytes = (server.rss() - before) / connections;
  await many.leave();
  await few.leave();
  return bytes;
}

export function render({ shaken, idle }) {
  const row = (n, f, g) => [titles[n], number(median(f[n].cpu_us), 0), number(ratio(f[n].cpu_us, f.bare_tls.cpu_us)),
    number(median(g[n].cpu_us), 0), number(ratio(g[n].cpu_us, g.bare_tls.cpu_us))];
  const names = Object.keys(shaken.full);
  return `**A connection, its handshake, one request of 1 KB, and the end.** TLS 1.3, ECDSA P-256, X25519; resumed: with a ticket, and X25519 again. One worker on
one core, load on the other.\n\n` +
    table(['', 'full: CPU µs', '× bare', 'resumed: CPU µs', '× bare'], names.map((n) => row(n, shaken.full, shaken.resumed))) +
    `\n\n**Idle connections.** Resident memory of a new process for each of ${number(idle_connections, 0)} connections that have had one answer; the kernel's is not in it.\n\n` +
    table(['', ...idle_kinds.map((k) => `${k.what}, KB`)], names.map((n) => [titles[n], ...idle_kinds.map((k) => number(idle[k.id][n] / 1024, 1))]));
}

export function musts({ shaken, idle }) {
  const list = [];
  const most = (id, what, kind, other, as, limit) => {
    if (!shaken[kind][other]) return;
    const x = ratio(shaken[kind].freshet.cpu_us, shaken[kind][other].cpu_us);
    list.push({ id, what, must: `≤ ${limit} × ${as}`, measured: `${number(x)} ×`, holds: x <= limit });
  };
  most('shake-full', 'full handshake with one request', 'full', 'bare_tls', 'bare', 1.1);
  most('shake-full-h2o', 'full handshake with one request', 'full', 'h2o', 'H2O', 1);
  most('shake-resumed', 'resumed handshake with one request', 'resumed', 'nginx', 'nginx', 1);
  for (const k of idle_kinds) {
    const kb = idle[k.id].freshet / 1024;
    list.push({ id: `idle-tls-${k.id}`, what: `idle connection with TLS, ${k.what}`, must: `≤ ${k.most} KB`, measured: `${number(kb, 1)} KB`, holds: kb <= k.most });
  }
  return list;
}
