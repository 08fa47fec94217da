// What hits from memory wait while pages are stored on disk at 100 MB a second, beside what they wait without: p99 and p99.9 of turns that change places,
// medians of each; and with as many bytes that are fetched and not stored, which says what of it is the disk's. Then how much is written for each byte that
// is stored: as those pages come, and while pages that are asked for again and again live on disk alone and are carried over.
// `make all bench-programs` first. Usage: node tests/bench/writing.mjs FOLDER [TURNS [SECONDS]]      FOLDER: on the disk to be measured
import fs from 'node:fs';
import path from 'node:path';
import { Admin } from './lib/freshet.mjs';
import { request } from './lib/heads.mjs';
import { openLoop } from './lib/load.mjs';
import { freshetProgram, startOrigin } from './lib/peers.mjs';
import { freePort } from './lib/port.mjs';
import { Server } from './lib/server.mjs';

const [where, turns = '7', seconds = '4'] = process.argv.slice(2);
if (!where) throw new Error('Usage: node tests/bench/writing.mjs FOLDER [TURNS [SECONDS]]');
const folder = fs.mkdtempSync(path.join(path.resolve(where), 'writing-'));
const origin = await startOrigin({ cores: '1', folder });
const body = 262144, rate = 400, hits_a_second = 2000; // 100 MB a second
const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
let server, turn = 0;

async function start(memory, disk) {
  const port = await freePort(), admin = await freePort();
  server = await Server.start('freshet', [freshetProgram, 'run', '--origin', `http://127.0.0.1:${origin.port}`, '--listen', `127.0.0.1:${port}`,
    '--admin', `127.0.0.1:${admin}`, '--token', 'bench', '--state', path.join(folder, `state${disk}`), '--workers', '1', '--memory', memory,
    '--disk', disk, '--disk-rate', '0', '--keepalive-requests', '1000000000'], { port, cores: '0', folder });
  server.admin = admin;
}

async function status() {
  const a = await Admin.open(server), r = await a.status();
  a.close();
  return r;
}

const hits = () => openLoop({ port: server.port, request: request('/b4096,u/hit', {}, server.port), folder, rate: hits_a_second, connections: 16, seconds: +seconds });

// Pages that nobody has asked for; `n`: not to be stored. In a folder of their own: the request is a file there.
function misses(kind) {
  const own = path.join(folder, 'misses');
  fs.mkdirSync(own, { recursive: true });
  return openLoop({ port: server.port, request: request(`/b${body},u${kind}/${++turn}-########`, {}, server.port), folder: own, rate, connections: 32, seconds: +seconds });
}

try {
  await start('128M', '1G');
  const ways = { 'alone': () => undefined, 'fetched': () => misses('n'), 'stored': () => misses('') }, seen = {};
  await hits();
  let first, stored = 0;
  for (let i = 0; i < +turns; i++)
    for (const [name, beside] of Object.entries(ways)) {
      if (i === 0 && name === 'stored') first = (await status()).disk;
      const [a, b] = await Promise.all([hits(), beside()]);
      if (a.errors || b?.errors) throw new Error(`not all were answered: ${JSON.stringify([a, b])}`);
      (seen[name] ??= { p99: [], p999: [] }).p99.push(a.p99_us);
      seen[name].p999.push(a.p999_us);
      if (name === 'stored') stored += b.answered;
    }
  const disk = (await status()).disk;
  const of = Object.fromEntries(Object.entries(seen).map(([name, s]) => [name, { p99: median(s.p99), p999: median(s.p999) }]));
  console.log(`hits of 4 KB from memory, ${hits_a_second} a second, ${turns} turns of ${seconds} s each`);
  for (const [name, s] of Object.entries(of))
    console.log(`${name.padEnd(8)} p99 ${s.p99} us (${(s.p99 / of.alone.p99).toFixed(2)} x alone), p99.9 ${s.p999} us (${(s.p999 / of.alone.p999).toFixed(2)} x)`);
  console.log(`stored beside fetched: p99 ${(of.stored.p99 / of.fetched.p99).toFixed(2)} x, p99.9 ${(of.stored.p999 / of.fetched.p999).toFixed(2)} x`);
  const written = disk.written_bytes - first.written_bytes;
  console.log(`${(stored * body / 1e6 / (turns * seconds)).toFixed(0)} MB of bodies a second; written for each byte of a body: ${(written / (stored * body)).toFixed(3)}, ` +
    `${disk.dropped - first.dropped} records dropped, ${disk.carried - first.carried} carried over`);
  await server.stop();

  // 48 MB of pages that are asked for in turn, beside new ones: most are not in memory, and each segment that is used again has some of them.
  await start('16M', '256M');
  const own = path.join(folder, 'again');
  fs.mkdirSync(own);
  const again = (s) => openLoop({ port: server.port, request: request('/b8192,u/again-########', {}, server.port), folder: own, rate: 3000, connections: 16, seconds: s, modulo: 6000 });
  await again(4);
  const before = (await status()).disk;
  let fresh = 0;
  for (let i = 0; i < 3; i++) {
    const [, b] = await Promise.all([again(+seconds), misses('')]);
    fresh += b.answered;
  }
  const after = (await status()).disk;
  console.log(`with pages that are carried over: ${((after.written_bytes - before.written_bytes) / (fresh * body)).toFixed(3)} for each byte of a new page, ` +
    `${after.carried - before.carried} carried over`);
} catch (e) {
  console.log(fs.readFileSync(server.log, 'utf8').slice(-3000), await status());
  throw e;
} finally {
  await server?.stop().catch(() => {});
  await origin.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
