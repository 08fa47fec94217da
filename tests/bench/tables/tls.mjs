// Hits over TLS 1.3: HTTP/1.1 and HTTP/2, sizes of bodies, streams; and a hit that is compressed beside one that is not.
import { digest } from '../lib/cell.mjs';
import { Standing } from '../lib/load.mjs';
import { bareTls, peers } from '../lib/peers.mjs';
import { interleaved } from '../lib/rounds.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'tls';
export const title = 'Hits over TLS';

const kinds = [
  { id: 'h1-1024', bytes: 1024, connections: 64, bare: 1.15, h2o: 0.9 },
  { id: 'h1-10240', bytes: 10240, connections: 64, bare: 1.15, h2o: 0.9 },
  { id: 'h1-102400', bytes: 102400, connections: 64, bare: 1.15, h2o: 0.9 },
  { id: 'h2-1024-10', bytes: 1024, connections: 64, streams: 10, bare: 1.5, h2o: 0.8 },
  { id: 'h2-1024-100', bytes: 1024, connections: 8, streams: 100, bare: 1.5, h2o: 0.8 },
  { id: 'h2-10240-10', bytes: 10240, connections: 64, streams: 10, bare: 1.2, h2o: 0.95 },
  { id: 'h2-10240-100', bytes: 10240, connections: 8, streams: 100, bare: 1.2, h2o: 0.95 },
];
const titles = { ...Object.fromEntries(Object.entries(peers).map(([n, p]) => [n, p.title])), bare_tls: bareTls.title };
const speaks = ['freshet', 'freshet_epoll', 'nginx', 'haproxy', 'h2o'];
const target = (bytes) => `/b${bytes}/hit`;
const what = (k) => `${k.streams ? 'HTTP/2' : 'HTTPS/1.1'}, ${size(k.bytes)}, ${k.connections} connections${k.streams ? `, ${k.streams} streams each` : ''}`;

// CPU of the requests alone: connections stand, and each has had an answer, before the first that counts.
export async function tlsCell(world, names, { rounds, seconds, ...load }) {
  return interleaved(names, rounds, async (n) => {
    const server = world.servers[n], standing = await Standing.gather({ ...load, port: server.tls, seconds });
    try {
      const r = await world.measured(n, () => standing.load());
      if (r.asked > 0) throw new Error(`${n}: ${r.asked} requests reached the origin: not only hits`);
      if (r.errors > 0 || r.requests === 0) throw new Error(`${n}: ${r.requests} answers, ${r.errors} errors`);
      return { cpu_us: r.cpu_us, rps: r.rps, p99: r.p99_us / 1000, head: r.head_bytes };
    } finally {
      await standing.leave();
    }
  });
}

export async function run({ rounds, seconds, quick, have, say }) {
  const cells = [], world = await World.open();
  try {
    const names = have.filter((n) => speaks.includes(n)), all = quick ? kinds.filter((k) => k.bytes === 1024) : kinds;
    const files = Object.fromEntries(all.map((k) => [target(k.bytes).slice(1), k.bytes]));
    for (const n of names) await world.start(n, { cores: '0', workers: 1, files, tls: true, ...(n.startsWith('freshet') ? { flags: ['--compress-often', '0'] } : {}) });
    for (const k of all) {
      const response = await world.responseFile(k.id, await world.warm('freshet', target(k.bytes)));
      for (const n of names) await world.warmTls(n, target(k.bytes));
      await world.start('bare_tls', { cores: '0', response });
      const cell = await tlsCell(world, ['bare_tls', ...names], { ...k, target: target(k.bytes), rounds, seconds });
      await world.stop('bare_tls');
      cells.push({ id: k.id, cell });
      say(`${what(k)}: ${Object.entries(digest(cell, 'bare_tls')).map(([n, d]) => `${n} ${number(d.cpu_us)} (${number(d.ratio)})`).join(', ')}`);
    }
    cells.push({ id: 'coded', cell: await coded(world, { rounds, seconds, say }) });
  } finally {
    await world.close();
  }
  return { cells };
}

// A page in gzip for who takes it, and another one, which cannot be compressed, that is as long as that.
const accepts = { 'Accept-Encoding': 'gzip' };
async function coded(world, { rounds, seconds, say }) {
  const page = '/b24576,g/coded', { body } = await world.warmTls('freshet', page, accepts, 'gzip');
  const bytes = body.length, plain = target(bytes), load = { connections: 64, bytes, fields: accepts, rounds, seconds };
  await world.warmTls('freshet', plain);
  const of = { identity: plain, gzip: page };
  const cell = await interleaved(Object.keys(of), rounds, async (n) =>
    Object.fromEntries(Object.entries((await tlsCell(world, ['freshet'], { ...load, target: of[n], rounds: 1 })).freshet).map(([f, [x]]) => [f, x])));
  say(`compressed: ${Object.entries(digest(cell, 'identity')).map(([n, d]) => `${n} ${number(d.cpu_us)} (${number(d.ratio)})`).join(', ')}`);
  return cell;
}

export function render({ cells }) {
  const parts = [`TLS 1.3, ECDSA P-256, one worker on one core, load (lg.c) on the other. The bare server has our scheme of TLS and frames and answers with the
bytes of freshet's answer (bare_tls.c). Connections stand before what is measured begins.`];
  for (const { id, cell } of cells.filter((c) => c.id !== 'coded')) {
    const d = digest(cell, 'bare_tls'), h2o = cell.h2o && digest(cell, 'h2o');
    parts.push(`**${what(kinds.find((k) => k.id === id))}**\n\n` + table(['', 'CPU µs', '× bare', '× H2O', 'requests/s', 'p99 ms', 'head bytes'],
      Object.entries(d).map(([n, x]) => [titles[n], number(x.cpu_us), number(x.ratio), h2o ? number(h2o[n].ratio) : '-', number(x.rps, 0), number(x.p99),
        number(cell[n].head[0], 0)])));
  }
  const last = cells.find((c) => c.id === 'coded');
  if (last) {
    parts.push(`**Compressed** (gzip, over HTTPS/1.1) beside a body as long that is not\n\n` + table(['', 'CPU µs', '× identity', 'requests/s'],
      Object.entries(digest(last.cell, 'identity')).map(([n, x]) => [n, number(x.cpu_us), number(x.ratio), number(x.rps, 0)])));
  }
  return parts.join('\n\n');
}

export function musts({ cells }) {
  const list = [];
  const most = (id, name_, measured, limit, to) => list.push({ id, what: name_, must: `≤ ${limit} × ${to}`, measured: `${number(measured)} ×`, holds: measured <= limit });
  for (const { id, cell } of cells) {
    const k = kinds.find((x) => x.id === id);
    if (id === 'coded') most('tls-coded', 'compressed hit, over HTTPS/1.1', digest(cell, 'identity').gzip.ratio, 1, 'an identity hit of its size');
    else {
      most(`tls-${id}`, `hit, ${what(k)}`, digest(cell, 'bare_tls').freshet.ratio, k.bare, 'bare');
      if (cell.h2o) most(`tls-${id}-h2o`, `hit, ${what(k)}`, digest(cell, 'h2o').freshet.ratio, k.h2o, 'H2O');
    }
  }
  return list;
}
