// Bodies that are larger than what one wants to hold, and large ones that many read slowly.
import { Admin } from '../lib/freshet.mjs';
import { request } from '../lib/heads.mjs';
import { Crowd } from '../lib/load.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'large';
export const title = 'Large bodies';

const readers = 100, rate = 4 * 2 ** 20, slow_ms = 4000, flat = 8 * 2 ** 20, GB = 2 ** 30;

async function watched(server, work) {
  const before = server.rss();
  let largest = before;
  const watch = setInterval(() => (largest = Math.max(largest, server.rss())), 10);
  const cpu = server.cpuNs(), began = Date.now(), r = await work();
  clearInterval(watch);
  return { before, largest: Math.max(largest, server.rss()), cpu_ms: (server.cpuNs() - cpu) / 1e6, ms: Date.now() - began, ...r };
}

async function read(world, server, target, connections, slowly) {
  const c = await Crowd.gather({ port: server.port, request: request(target, {}, server.port), folder: world.folder, connections, rate: slowly });
  c.ask();
  if (slowly) {
    await new Promise((done) => setTimeout(done, slow_ms));
    await c.leave();
  }
  return c.over();
}

export async function run({ quick, say }) {
  const world = await World.open(), stream = (quick ? 0.2 : 5) * GB, stored = (quick ? 0.1 : 1) * GB;
  try {
    const server = await world.start('freshet', { cores: '0', workers: 1, memory: '2500M', flags: ['--object-bytes', '1100M'] });
    await read(world, server, '/b100000/first', 1); // what is made once
    const through = await watched(server, () => read(world, server, `/b${Math.round(stream)},n/stream`, 1));
    if (through.complete !== 1 || through.bad > 0) throw new Error(`the stream broke: ${JSON.stringify(through)}`);
    say(`streamed ${size(through.bytes)} in ${number(through.ms / 1000)} s: RSS ${size(through.before)} -> at most ${size(through.largest)}`);
    const target = `/b${Math.round(stored)}/stored`;
    await read(world, server, target, 1);
    const asked = await world.asked();
    const slow = await watched(server, () => read(world, server, target, readers, rate));
    const admin = await Admin.open(server), used = (await admin.status()).memory.used_bytes;
    admin.close();
    if ((await world.asked()) !== asked) throw new Error('the slow readers were no hits');
    say(`${readers} slow readers took ${size(slow.bytes)}: RSS ${size(slow.before)} -> at most ${size(slow.largest)}`);
    return { stream, stored, through, slow, used };
  } finally {
    await world.close();
  }
}

export function render({ stored, through: t, slow: s, used }) {
  return table(['', 'bytes', 'RSS before', 'RSS at most', 'seconds', 'CPU ms a GB'], [
    ['streamed through, not stored, one reader', size(t.bytes), size(t.before), size(t.largest), number(t.ms / 1000), number(t.cpu_ms / (t.bytes / GB), 0)],
    [`stored body of ${size(stored)} (counted: ${size(used)}), ${readers} readers of ${size(rate)} a second`, size(s.bytes), size(s.before), size(s.largest), number(s.ms / 1000), number(s.cpu_ms / (s.bytes / GB), 0)],
  ]);
}

export function musts({ stream, stored, through: t, slow: s }) {
  return [
    { id: 'large-stream', what: `${size(stream)} streamed through`, must: `flat memory (RSS grows by at most ${size(flat)})`, measured: `+${size(t.largest - t.before)}`, holds: t.largest - t.before <= flat },
    { id: 'large-readers', what: `a stored body of ${size(stored)}, ${readers} slow readers`, must: 'no copy each (RSS grows by at most 64 KB a reader)', measured: `+${size(s.largest - s.before)}`,
      holds: s.largest - s.before <= readers * 65536 },
  ];
}
