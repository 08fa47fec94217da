// Memory: of an object, and of a cache through which far more has gone than fits.
import { Admin } from '../lib/freshet.mjs';
import { request } from '../lib/heads.mjs';
import { flood, wrk } from '../lib/load.mjs';
import { number, size, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'memory';
export const title = 'Memory';

const body = 64, budget_mb = 64, times = 20, most = 256, entry_most = 24, buffers_mb = 32;

// What an object is beyond what the bench calls its own: head, body, tags and key, as explain tells them. `flags`: with or without a disk.
async function perObject(world, say, many, flags) {
  const server = await world.start('freshet', { cores: '0', workers: 1, memory: '2G', flags });
  const path = (group) => `/b${body},t1/${group}########`;
  const fill = (group, requests) => flood({ port: server.port, request: request(path(group), {}, server.port), folder: world.folder, requests });
  // What is made once, and the pools of connections, are there before.
  await fill('warm', 5000);
  const look = async () => {
    const admin = await Admin.open(server), r = { rss: server.rss(), ...(await admin.status()) };
    admin.close();
    return r;
  };
  const before = await look();
  await fill('page', many);
  const after = await look(), objects = after.cache.objects - before.cache.objects;
  // One of middling length: its number is in its tags.
  const middle = String(Math.floor(many / 2)).padStart(8, '0');
  const url = `127.0.0.1:${server.port}${path('page').replace('########', middle)}`, admin = await Admin.open(server);
  const told = JSON.parse(await admin.ask(`GET /api/v1/explain?url=${encodeURIComponent(`http://${url}`)} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer bench\r\n\r\n`));
  const head = told.stored.head_bytes;
  const tags = `allp${+middle}-0`.length, key = `default${url}`.length;
  admin.close();
  await world.stop('freshet');
  const own = head + body + tags + key;
  const rss = (after.rss - before.rss) / objects, counted = (after.memory.used_bytes - before.memory.used_bytes) / objects;
  say(`${objects} objects${flags ? `, ${flags.join(' ')}` : ''}: RSS ${number(rss, 0)}, counted ${number(counted, 0)}, their own ${own}`);
  return { objects, head, body, tags, key, rss, counted };
}

async function overflow(world, say, goal) {
  const server = await world.start('freshet', { cores: '0', workers: 1, memory: `${budget_mb}M` }), admin = await Admin.open(server);
  let written = 0, largest = 0, run = 0;
  const watch = setInterval(() => (largest = Math.max(largest, server.rss())), 20);
  while (written < goal * budget_mb * 2 ** 20 && run < 200) {
    await wrk({ port: server.port, target: '/', connections: 16, seconds: 1, script: 'sizes.lua', scriptArgs: [`run${run++}`] });
    written = (await admin.status()).counters.origin_body_bytes_total;
  }
  clearInterval(watch);
  const { memory, cache } = await admin.status();
  const rss = server.rss();
  admin.close();
  await world.stop('freshet');
  say(`${size(written)} through ${budget_mb} MB: RSS ${size(rss)}, at most ${size(largest)}, counted ${size(memory.used_bytes)}`);
  return { written, rss, largest: Math.max(largest, rss), counted: memory.used_bytes, evicted: cache.evicted };
}

export async function run({ quick, say }) {
  const world = await World.open();
  try {
    const many = quick ? 60_000 : 300_000; // fewer: an entry of the disk costs more
    return { object: await perObject(world, say, many, ['--disk', '0']), on_disk: await perObject(world, say, many), full: await overflow(world, say, quick ? 3 : times) };
  } finally {
    await world.close();
  }
}

// What the disk adds: an entry an object, and buffers (the log's, entries of the segments that are written), which have a size of their own.
function disk({ object: o, on_disk: d }) {
  const entry = d.counted - o.counted;
  return { entry, buffers: (d.rss - o.rss - entry) * o.objects };
}

export function render({ object: o, on_disk: d, full: f }) {
  const own = o.head + o.body + o.tags + o.key;
  return `**An object**, ${number(o.objects, 0)} of them, each the only one of its URL, body ${o.body} bytes; without a disk, and with the one there is by default, where each is written, too\n\n` +
    table(['', 'bytes each', 'with a disk'], [['RSS', number(o.rss, 0), number(d.rss, 0)], ['counted by freshet', number(o.counted, 0), number(d.counted, 0)],
      [`head ${o.head}, body ${o.body}, tags ${o.tags}, key ${o.key}`, own, own], ['beyond that (RSS)', number(o.rss - own, 0), number(d.rss - own, 0)]]) +
    `\n\nOf the disk's, ${number(disk({ object: o, on_disk: d }).entry, 1)} bytes each are the entry that says where it is; the rest are buffers for what is being written, ${size(disk({ object: o, on_disk: d }).buffers)} in all.` +
    `\n\n**Far more than fits**: bodies from 1 KB to 1 MB, as many in each factor of two, ${size(f.written)} in all, through \`memory: ${budget_mb}M\`\n\n` +
    table(['', ''], [['RSS at the end', size(f.rss)], ['RSS at most', size(f.largest)], ['counted', size(f.counted)], ['evicted', number(f.evicted, 0)]]);
}

export function musts({ object: o, on_disk: d, full: f }) {
  const { entry, buffers } = disk({ object: o, on_disk: d });
  const beyond = o.rss - (o.head + o.body + o.tags + o.key), limit = 1.1 * budget_mb * 2 ** 20 + 32 * 2 ** 20;
  return [
    { id: 'memory-object', what: 'an object with its family, beyond head, body, tags, key and rule', must: `≤ ${most} bytes`, measured: `${number(beyond, 0)} bytes`, holds: beyond <= most },
    { id: 'memory-entry', what: 'an object that is on disk, too: what that adds to it in memory', must: `≤ ${entry_most} bytes`, measured: `${number(entry, 1)} bytes`, holds: entry <= entry_most },
    { id: 'memory-buffers', what: `buffers of the disk, ${number(d.objects, 0)} objects stored in one go: RSS`, must: `≤ ${buffers_mb} MB`, measured: size(buffers), holds: buffers <= buffers_mb * 2 ** 20 },
    { id: 'memory-rss', what: `RSS after writing ${times} × --memory of mixed sizes`, must: `≤ 1.1 × --memory + 32 MB (${size(limit)})`, measured: size(f.rss), holds: f.rss <= limit },
  ];
}
