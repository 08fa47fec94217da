// Killed at any moment amid two hundred stores and purges, amid its start, amid the reuse of the disk, and while another process takes over (the
// old one, the new one, or both), and started again: every page is there or not, whole and byte by byte as the origin sent it, of
// the data that the latest answered purge left or newer, and of its own URL and variant. What was purged stays purged.
// `make crash ROUNDS=1000` is the long form.
// scenarios R1, R2, R7, G14, V4
import fs from 'node:fs';
import { alarm, alarmed, lives } from '../process.mjs';
import { Client, Freshet, Origin, below, chance, check, done, equal, eventually, pause, pick, scaled, within } from './lib.mjs';

const rounds = +(process.env.CRASH_ROUNDS ?? scaled(50, 5)), keys = 150, askers = 180, changers = 20;
const upgrades = { old: 0, new: 0, both: 0 };
const version = new Map(); // of each key's data; the origin knows it
const least = new Map(); // what the latest answered purge of each key left behind it
const sizes = [0, 10, 700, 3_000, 9_000, 60_000, 300_000];

// All bytes follow from what is said at their start.
function bodyOf(key, variant, v) {
  const size = sizes[(key * 7 + v) % sizes.length], start = `key ${key} variant ${variant} version ${v} size ${size} `;
  return start + String.fromCharCode(97 + (key + v) % 26).repeat(size);
}

async function answer(request, c) {
  const [, n, variant] = /^\/(\d+)(?:\?v=(\w+))?$/.exec(request.target), key = +n, v = version.get(key) ?? 0;
  if (chance(0.2)) await pause(below(30)); // a purge may overtake it
  const body = bodyOf(key, variant ?? '-', v), etag = `"${key}-${variant ?? ''}-${v}"`;
  const vary = key % 5 === 0 ? 'Netlify-Vary: query=v\r\n' : '';
  const fields = `Cache-Control: s-maxage=${pick([0, 30, 86400])}, stale-while-revalidate=60\r\nCache-Tag: all, k${key}\r\n${vary}ETag: ${etag}\r\n`;
  if (request.fields['if-none-match'] === etag) {
    confirmed++;
    await c.write(`HTTP/1.1 304 Not Modified\r\n${fields}\r\n`);
    return;
  }
  await c.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`);
}

const origin = await new Origin(answer).listen();
const f = new Freshet(['--origin', `http://127.0.0.1:${origin.port}`, '--memory', '8M', '--disk', '24M', '--disk-rate', '0']);
let asked = 0, hits = 0, fromBefore = 0, purges = 0, confirmed = 0, running = false, round = 0;
let heirless = false; // the process that took over was killed

function judge(target, key, variant, r, floor) {
  if (r.status === 0 || r.cut) return; // it was killed amid that
  if (!equal(r.status, 200, 'an answer is the page')) return;
  const text = r.body.toString('latin1'), m = /^key (\d+) variant (\S+) version (\d+) size \d+ /.exec(text);
  if (!check(m && +m[1] === key && m[2] === variant, 'the page is that of its URL and variant', () => `${target}: ${text.slice(0, 80)}`)) return;
  check(text === bodyOf(key, variant, +m[3]), 'its bytes are the origin\'s', () => `${target}: ${text.length} bytes`);
  check(+m[3] >= floor, 'what was purged stays purged', () => `round ${round}: ${target} is of version ${m[3]}, and ${floor} was purged for`);
  asked++;
  if (/hit/.test(r.fields['cache-status'])) hits++;
}

async function ask(client, key) {
  const variant = chance(0.3) ? pick(['a', 'b']) : '-', target = `/${key}${variant === '-' ? '' : `?v=${variant}`}`;
  const floor = least.get(key) ?? 0;
  judge(target, key, variant, await client.ask(target), floor);
}

async function asker() {
  let client = new Client(f.at);
  while (running) {
    if (client.ended) { // amid an upgrade there may be another process that answers
      await pause(5);
      client = new Client(f.at);
    }
    await ask(client, below(keys));
    if (chance(0.3)) await pause(below(20));
  }
  client.close();
}

// Data change, then their pages are purged, as a CMS does it.
async function changer() {
  while (running) {
    const key = below(keys), v = (version.get(key) ?? 0) + 1;
    version.set(key, v);
    const said = await f.purge(chance(0.1) ? { urls: [`http://test/${key}`] } : { cache_tags: [`k${key}`] }).catch(() => undefined);
    if (said?.durable) least.set(key, Math.max(v, least.get(key) ?? 0));
    // The one that was to write it is no more: whoever purged is told so.
    else if (said) check(heirless, 'a purge that is answered is on disk', () => `${round}: ${f.errors.slice(-500)}`);
    purges += said?.durable ?? 0;
    await pause(said ? below(50) : 5);
  }
}

// All processes of this freshet that live: it, its starter, and what takes over from it. The folder is in the arguments of all, and of nobody else.
function processes() {
  return fs.readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map(Number).filter((pid) => {
    try {
      return pid !== process.pid && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(f.folder) && lives(pid);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (e) {
    if (e.code !== 'ESRCH') throw e;
  }
}

// Another process takes over, and one of the two, or both, are killed at any moment of it. What goes on serves meanwhile.
async function killed_amid_an_upgrade(which) {
  const starter = processes().filter((pid) => pid !== f.child.pid); // the only other one until then
  f.child.kill('SIGUSR2');
  const successors = () => processes().filter((pid) => pid !== f.child.pid && !starter.includes(pid));
  if (which === 'new' || chance(0.7)) await eventually('a new process', () => successors().length);
  await pause(below(pick([20, 300, 1500])));
  const fresh = successors();
  if (which !== 'new') kill(f.child.pid);
  heirless = which === 'new';
  if (which !== 'old') fresh.forEach(kill);
  upgrades[which]++;
  if (which !== 'both') await pause(below(500));
}

async function restart() {
  check(!alarm.test(f.errors), 'no report of a sanitizer', () => alarmed(f.errors));
  f.errors = '';
  f.status = undefined;
  await f.start();
}

try {
  await f.start();
  for (round = 1; round <= rounds; round++) {
    running = true;
    heirless = false;
    const all = [...Array.from({ length: askers }, asker), ...Array.from({ length: changers }, changer)];
    await pause(50 + below(400));
    if (round % 6 === 0) await killed_amid_an_upgrade(['old', 'new', 'both'][round / 6 % 3]);
    processes().forEach(kill);
    running = false;
    await eventually('the end of all processes', () => { const left = processes(); left.forEach(kill); return left.length === 0; });
    await within('the end', f.over);
    await within('all who were amid something', Promise.all(all));
    f.agent?.destroy();
    f.agent = undefined;
    while (chance(0.2)) { // killed amid its start, and while it looks for what is on disk
      let killed = false;
      const serves = restart().catch((e) => check(killed, 'it starts, but for being killed', e.message));
      if (chance(0.5)) await serves;
      await pause(below(100));
      killed = true;
      f.child.kill('SIGKILL');
      await within('the end', f.over);
      await serves;
    }
    await restart();
    const before = hits, client = new Client(f.at);
    for (let key = 0; key < keys; key++) await ask(client, key);
    client.close();
    fromBefore += hits - before;
  }
  check(fromBefore > rounds, 'pages of before the crash are hits after it', `${fromBefore}`);
  await f.stop();
} catch (e) {
  check(false, 'it comes to its end', e.stack);
} finally {
  await f.clean();
  await origin.close();
}
console.log(`${rounds} rounds, ${asked} pages looked at, ${hits} from the cache, ${fromBefore} of them first after a crash, ${purges} purges, ${confirmed} answers of 304; ` +
  `killed amid an upgrade: the old one ${upgrades.old}, the new one ${upgrades.new}, both ${upgrades.both}`);
done();
