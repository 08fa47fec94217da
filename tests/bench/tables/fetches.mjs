// What goes to the origin: answers that may not be stored, and storing misses.
import { request } from '../lib/heads.mjs';
import { flood, wrk } from '../lib/load.mjs';
import { peers } from '../lib/peers.mjs';
import { interleaved, median, ratio } from '../lib/rounds.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'fetches';
export const title = 'Pass and miss';

const sizes = [1024, 10240];
const connections = 64;
const fresh_bytes = 10240, fill_pages = 32_000; // of 10 KB: more than each of the caches holds in memory
const secure = 'freshet-https'; // it asks the origin with TLS, over the connections that it keeps
const title_of = (n) => (n === secure ? 'freshet, https:// origin' : peers[n].title);
let unique = 0; // each run has URLs of its own

// Every request must reach the origin; the few that are under way when wrk stops may be one more each.
function checked(name, r) {
  if (r.errors > 0) throw new Error(`${name}: ${r.errors} errors`);
  if (r.asked < r.requests || r.asked > r.requests + 2 * connections) {
    throw new Error(`${name}: ${r.requests} answers, but ${r.asked} requests reached the origin`);
  }
  return { cpu_us: r.cpu_us, rps: r.rps, p99: r.p99 };
}

export async function run({ rounds, seconds, quick, have, say }) {
  const cells = [], world = await World.open();
  const start = (n) => (n === secure ? world.start('freshet', { cores: '0', workers: 1, flags: world.origin.flags }, n)
    : world.start(n, { cores: '0', workers: 1 }));
  const missed = async (n, bytes) => checked(n, await world.measured(n, (s) =>
    wrk({ port: s.port, target: '/', connections, seconds, script: 'unique.lua', scriptArgs: [`/b${bytes}/miss-${unique++}-`] })));
  const say_of = (what, cell) => say(`${what}: ${Object.keys(cell).map((n) => `${n} ${number(median(cell[n].cpu_us))}`).join(', ')}`);
  let fresh;
  try {
    const names = have.filter((n) => !['bare', 'uring', 'h2o'].includes(n)), all = [...names, secure];
    for (const n of all) await start(n);
    if (!quick) {
      fresh = await interleaved(all, rounds, async (n) => {
        await world.stop(n);
        await start(n);
        return missed(n, fresh_bytes);
      });
      say_of(`miss, ${size(fresh_bytes)}, just started`, fresh);
      for (const n of all) await flood({ port: world.servers[n].port, request: request(`/b${fresh_bytes}/fill-########`, {}, world.servers[n].port),
        folder: world.folder, requests: fill_pages, connections });
    }
    for (const bytes of quick ? [1024] : sizes) {
      const target = `/b${bytes},n/pass`;
      for (const n of names) await world.warm(n, target, {}, { hits: false });
      const pass = await interleaved(names, rounds, async (n) => checked(n, await world.measured(n, (s) =>
        wrk({ port: s.plain ?? s.port, target, connections, seconds }))));
      const miss = await interleaved(all, rounds, (n) => missed(n, bytes));
      cells.push({ bytes, pass, miss });
      say_of(`pass, ${size(bytes)}`, pass);
      say_of(`miss, ${size(bytes)}`, miss);
    }
  } finally {
    await world.close();
  }
  return { cells, fresh };
}

export function render({ cells, fresh }) {
  const parts = [`${connections} connections, one worker; origin and load on the other core. Pass: an answer with \`private, no-store\`; nginx and HAProxy
are plain proxies here, without a cache. Miss: a URL that was never asked for, each time; the answer is stored.${fresh ? ` Caches are full:
each answer takes the place of others. *Just started*: each server's first second, in which what it stores goes into memory that
it has from the system for the first time.` : ''} Each request reached the origin.`];
  const all = cells.flatMap(({ bytes, pass, miss }) => [['Pass', bytes, pass], ['Storing miss', bytes, miss]]);
  if (fresh) all.push(['Storing miss, just started', fresh_bytes, fresh]);
  for (const [what, bytes, cell] of all) {
    const rows = Object.entries(cell).map(([n, f]) => [what === 'Pass' ? title_of(n).replace(/ (proxy_cache|cache)$/, '') : title_of(n),
      number(median(f.cpu_us)), number(ratio(f.cpu_us, cell.freshet.cpu_us)), number(median(f.rps), 0), number(median(f.p99))]);
    parts.push(`**${what}, ${size(bytes)}**\n\n${table(['', 'CPU µs', '× freshet', 'requests/s', 'p99 ms'], rows)}`);
  }
  return parts.join('\n\n');
}

export function musts({ cells, fresh }) {
  const list = [];
  const below = (id, what, cell, other, as) => {
    if (!cell[other]) return;
    const x = ratio(cell.freshet.cpu_us, cell[other].cpu_us);
    list.push({ id, what, must: `less CPU than ${as}`, measured: `${number(x)} ×`, holds: x < 1 });
  };
  for (const { bytes, pass, miss } of cells) {
    below(`pass-nginx-${bytes}`, `pass, ${size(bytes)}`, pass, 'nginx', 'nginx as a plain proxy');
    below(`pass-haproxy-${bytes}`, `pass, ${size(bytes)}`, pass, 'haproxy', 'HAProxy as a plain proxy');
    const x = miss[secure] && ratio(miss[secure].cpu_us, miss.freshet.cpu_us);
    if (x) list.push({ id: `miss-https-${bytes}`, what: `storing miss from an https:// origin, pooled, ${size(bytes)}`, must: '≤ 1.3 × the clear one', measured: `${number(x)} ×`, holds: x <= 1.3 });
    below(`miss-${bytes}`, `storing miss, ${size(bytes)}`, miss, 'nginx', "nginx proxy_cache's miss");
  }
  if (fresh) below('miss-fresh', `storing miss, ${size(fresh_bytes)}, just started`, fresh, 'nginx', "nginx proxy_cache's");
  return list;
}
