// Killed at any moment amid stores and purges, and started again: a page is there or not, whole and byte by byte as the origin sent it, of
// the data that the latest answered purge left or newer, and of its own URL and variant. What was purged stays purged.
// `make crash ROUNDS=1000` is the long form.
// scenarios R1, R2, R7, G14
import { alarm, alarmed } from '../process.mjs';
import { Client, Freshet, Origin, below, chance, check, done, equal, pause, pick, scaled, within } from './lib.mjs';

const rounds = +(process.env.CRASH_ROUNDS ?? scaled(50, 5)), keys = 150, askers = 12, changers = 4;
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
  const client = new Client(f.at);
  while (running && !client.ended) await ask(client, below(keys));
  client.close();
}

// Data change, then their pages are purged, as a CMS does it.
async function changer() {
  while (running) {
    const key = below(keys), v = (version.get(key) ?? 0) + 1;
    version.set(key, v);
    const said = await f.purge(chance(0.1) ? { urls: [`http://test/${key}`] } : { cache_tags: [`k${key}`] }).catch(() => undefined);
    if (!said) return;
    equal(said.durable, true, 'a purge that is answered is on disk');
    least.set(key, Math.max(v, least.get(key) ?? 0));
    purges++;
    await pause(below(10));
  }
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
    const all = [...Array.from({ length: askers }, asker), ...Array.from({ length: changers }, changer)];
    await pause(50 + below(400));
    f.child.kill('SIGKILL');
    running = false;
    await within('the end', f.over);
    await within('all who were amid something', Promise.all(all));
    f.agent?.destroy();
    f.agent = undefined;
    if (chance(0.2)) { // killed amid its start
      await restart();
      await pause(below(30));
      f.child.kill('SIGKILL');
      await within('the end', f.over);
    }
    await restart();
    const before = hits, client = new Client(f.at);
    for (let key = 0; key < keys; key += 3) await ask(client, key);
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
console.log(`${rounds} rounds, ${asked} pages looked at, ${hits} from the cache, ${fromBefore} of them first after a crash, ${purges} purges, ${confirmed} answers of 304`);
done();
