// Hits of other kinds: a browser's head, the JSON log, Netlify-Vary, 304.
import path from 'node:path';
import { digest, hitCell } from '../lib/cell.mjs';
import { browser, vary } from '../lib/heads.mjs';
import { peers } from '../lib/peers.mjs';
import { number, table } from '../lib/text.mjs';
import { World } from '../lib/world.mjs';

export const name = 'kinds';
export const title = 'Hits of other kinds';

const plain = '/b1024/hit';
const kinds = [
  { id: 'browser', what: "a browser's head of 700 bytes", most: 1.25, target: plain, fields: browser, of: () => true },
  { id: 'log', what: 'JSON log on', most: 1.25, target: plain, freshet: 'freshet-log', of: (n) => n === 'uring' },
  { id: 'vary', what: 'Netlify-Vary with four query names and one cookie', most: 1.25, target: `/b1024,v/hit${vary.query}`, fields: vary.fields,
    of: (n) => n === 'uring' },
  // H2O makes ETags of its own; HAProxy's 304 has a Content-Length, and wrk waits for so many bytes.
  { id: '304', what: '304', most: 1.15, target: plain, fields: { 'If-None-Match': '"v1"' }, of: (n) => n !== 'h2o' && n !== 'haproxy' },
];

export async function run({ rounds, seconds, quick, have, say }) {
  const cells = [], world = await World.open();
  try {
    const usual = { cores: '0', workers: 1, files: { [plain.slice(1)]: 1024 } };
    const caches = have.filter((n) => n !== 'bare' && n !== 'uring');
    for (const n of caches) await world.start(n, usual);
    await world.start('freshet', { ...usual, flags: ['--access-log', path.join(world.folder, 'access.log')] }, 'freshet-log');
    for (const k of kinds) {
      const freshet = k.freshet ?? 'freshet';
      const others = caches.filter((n) => n !== 'freshet' && k.of(n) && !quick);
      for (const n of [freshet, ...others]) await world.warm(n, k.target);
      for (const n of others) await world.warm(n, k.target, k.fields);
      const response = await world.responseFile(k.id, await world.warm(freshet, k.target, k.fields));
      const limits = have.filter((n) => n === 'bare' || (n === 'uring' && k.of(n)));
      for (const n of limits) await world.start(n, { ...usual, response });
      const cell = await hitCell(world, [...limits, freshet, ...others], { target: k.target, fields: k.fields, connections: 64, rounds, seconds });
      for (const n of limits) await world.stop(n);
      // One name for freshet, however it is configured.
      const named = Object.fromEntries(Object.entries(cell).map(([n, f]) => [n === freshet ? 'freshet' : n, f]));
      cells.push({ id: k.id, cell: named });
      say(`${k.what}: ${Object.entries(digest(named)).map(([n, d]) => `${n} ${number(d.cpu_us)} (${number(d.ratio)})`).join(', ')}`);
    }
  } finally {
    await world.close();
  }
  return { cells };
}

export function render({ cells }) {
  const parts = ['1 KB (304: no body), 64 connections, one worker. The bare servers read the same requests and answer with the bytes of freshet\'s answer.'];
  for (const { id, cell } of cells) {
    const rows = Object.entries(digest(cell)).map(([n, d]) => [peers[n].title, number(d.cpu_us), number(d.ratio), number(d.rps, 0), number(d.p99)]);
    parts.push(`**${kinds.find((k) => k.id === id).what}**\n\n${table(['', 'CPU µs', '× bare', 'requests/s', 'p99 ms'], rows)}`);
  }
  return parts.join('\n\n');
}

export function musts({ cells }) {
  return cells.map(({ id, cell }) => {
    const k = kinds.find((x) => x.id === id), { ratio } = digest(cell).freshet;
    return { id: `kinds-${id}`, what: `hit, 1 KB, 64 connections: ${k.what}`, must: `≤ ${k.most} × bare`, measured: `${number(ratio)} ×`, holds: ratio <= k.most };
  });
}
