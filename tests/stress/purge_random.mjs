// A thousand purges at random moments, by tag, URL, prefix and site, hard and soft, and unsafe methods, while visitors ask and the origin
// takes its time: no request that begins after the acknowledgement gets what was older than the change. Pages that are kept long,
// revalidated (304), refreshed in the background, in variants, in chunks; some answers are errors or cut.
import { Client, below, chance, check, done, equal, pause, pick, random, scaled, stress } from './lib.mjs';

const purges = scaled(1000, 100);
const visitors = 32;
const tags = ['a', 'b', 'c', 'd'];
const kinds = {
  long: { cache: 's-maxage=100000' },
  revalidated: { cache: 's-maxage=1', etag: true },
  always: { cache: 's-maxage=0', etag: true },
  refreshed: { cache: 's-maxage=1, stale-while-revalidate=100000', etag: true, stale: true },
  variants: { cache: 's-maxage=100000', vary: 'Netlify-Vary: query=v\r\n', variants: true },
  chunked: { cache: 's-maxage=100000', chunked: true },
};
// What can be asked for. `version`: of the data; `hard`, `any`: the version that was acknowledged to be the oldest to be seen, by
// purges that allow nothing older, and by those that leave the stale window open.
const items = new Map();
let path_n = 0;
for (const [name, kind] of Object.entries(kinds)) {
  for (let i = 0; i < 2; i++) {
    const path = `/${name}/${i}`;
    const own = [tags[path_n % 4], tags[(path_n * 3 + 1) % 4]];
    path_n++;
    for (const v of kind.variants ? ['1', '2', '3'] : ['']) {
      const target = v ? `${path}?v=${v}` : path;
      items.set(target, { target, path, kind, tags: own, version: 1, hard: 1, any: 1 });
    }
  }
}
const all = [...items.values()];
let calm = false; // no more faults, no more delays
const nap = () => (calm || chance(0.4) ? undefined : pause(below(12)));
const fill = (target, version) => `${target} version ${version} ` + 'x'.repeat((version * 7919) % 9000) + ' end';

async function answer(request, c) {
  const url = new URL(request.target, 'http://test');
  const v = url.searchParams.get('v');
  const item = items.get(v && url.pathname.startsWith('/variants') ? `${url.pathname}?v=${v}` : url.pathname);
  if (!item) {
    check(false, 'the origin knows the page', request.line);
    c.destroy();
    return;
  }
  if (request.method === 'POST') {
    await c.write(`HTTP/1.1 204 No Content\r\nX-Version: ${++item.version}\r\n\r\n`);
    return;
  }
  const version = item.version; // as old as it can be: read when the request came
  await nap();
  const fault = calm ? 1 : random();
  if (fault < 0.01) return void c.destroy();
  if (fault < 0.02) return void (await c.write('HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno'));
  const fields = `Cache-Control: ${item.kind.cache}\r\nCache-Tag: ${item.tags.join(',')}\r\n${item.kind.vary ?? ''}` +
    (item.kind.etag ? `ETag: "${version}"\r\n` : '');
  if (item.kind.etag && request.fields['if-none-match'] === `"${version}"`) {
    await c.write(`HTTP/1.1 304 Not Modified\r\n${fields}`);
    await nap();
    await c.write('\r\n');
    return;
  }
  const body = fill(item.target, version);
  await c.write(`HTTP/1.1 200 OK\r\n${fields}`);
  await nap();
  const half = below(body.length);
  if (item.kind.chunked) await c.write(`Transfer-Encoding: chunked\r\n\r\n`);
  else await c.write(`Content-Length: ${body.length}\r\n\r\n`);
  for (const piece of [body.slice(0, half), body.slice(half)]) {
    await nap();
    if (fault > 0.97 && fault < 0.98 && piece !== body) return void c.destroy();
    if (piece === '') continue;
    await c.write(item.kind.chunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece);
  }
  if (item.kind.chunked) await c.write('0\r\n\r\n');
}

await stress(`${purges} purges at random moments`, { answer, slack: 0 }, async ({ freshet, at }) => {
  let running = true;
  let answers = 0;
  let newest = 0;

  const least = (item) => (item.kind.stale ? item.hard : item.any);
  function judge(item, oldest, r) {
    if (r.cut || r.status !== 200) return;
    const text = r.body.toString('latin1');
    const m = /^(\S+) version (\d+) /.exec(text);
    if (!check(m && m[1] === item.target && text === fill(m[1], +m[2]), 'the page is his and whole', () => `${item.target}: ${text.slice(0, 60)}`)) return;
    answers++;
    if (+m[2] === item.version) newest++;
    check(+m[2] >= oldest, 'nothing older than the purge that came before the request', () =>
      `${item.target}: ${m[2]} instead of ${oldest} or later; ${r.fields['cache-status']}; age ${r.fields.age}`);
  }
  async function ask(c, item) {
    const oldest = least(item); // before the request leaves
    const extra = item.kind.variants && chance(0.3) ? `&x=${below(1000)}` : '';
    const r = await c.ask(item.target + extra);
    judge(item, oldest, r);
    return r;
  }
  async function visit() {
    let c = new Client(at);
    while (running) {
      if (c.ended || chance(0.01)) {
        c.close();
        c = new Client(at);
      }
      await ask(c, pick(all));
      if (chance(0.1)) await pause(below(5));
    }
    c.close();
  }

  // The data change, then the purge is asked for; what it promised counts from its answer on.
  async function change() {
    const how = random();
    let hit;
    let what;
    const soft = chance(0.4);
    if (how < 0.15) {
      const item = pick(all);
      const c = new Client(at);
      const r = await c.ask(item.target, {}, { method: 'POST', body: '' });
      c.close();
      if (r.status !== 204) return;
      // Revalidated before it is used again: no stale window. The version that this request made: meanwhile another change may have
      // made a younger one, whose purge is still on its way.
      const version = +r.fields['x-version'];
      item.any = Math.max(item.any, version);
      item.hard = Math.max(item.hard, version);
      return;
    }
    if (how < 0.5) {
      const tag = pick(tags);
      hit = all.filter((i) => i.tags.includes(tag));
      what = { cache_tags: [tag] };
    } else if (how < 0.65) {
      const prefix = pick([`/${pick(Object.keys(kinds))}/`, pick(all).path, '/']);
      hit = all.filter((i) => `${i.path}/`.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`));
      what = { prefixes: [chance(0.5) ? prefix : `http://test${prefix}`] };
    } else if (how < 0.92) {
      const item = pick(all);
      hit = [item];
      what = { urls: [`http://test${item.target}`] };
      if (item.kind.variants && chance(0.5)) { // the path: all variants
        hit = all.filter((i) => i.path === item.path);
        what = { urls: [`http://test${item.path}`] };
      }
    } else {
      hit = all;
      what = {};
    }
    const promised = hit.map((i) => [i, ++i.version]);
    await freshet.purge({ ...what, soft });
    for (const [i, version] of promised) {
      i.any = Math.max(i.any, version);
      if (!soft) i.hard = Math.max(i.hard, version);
    }
  }

  const visits = Array.from({ length: visitors }, visit);
  let left = purges;
  await Promise.all([1, 2, 3].map(async () => {
    while (left-- > 0) {
      await change();
      if (chance(0.8)) await pause(below(25));
      if (chance(0.05)) await freshet.advance(1500);
    }
  }));
  running = false;
  await Promise.all(visits);
  check(answers > purges, 'there were answers to judge', answers);
  console.log(`${answers} answers, ${newest} of them the newest`);

  // When all is quiet, nothing is stale for ever.
  calm = true;
  await freshet.settle();
  for (const i of all) i.version++;
  await freshet.purge({});
  const c = new Client(at);
  for (const i of all) {
    i.hard = i.any = i.version;
    await ask(c, i);
    await freshet.settle();
    const r = await ask(c, i);
    equal(r.body.toString('latin1'), fill(i.target, i.version), 'the newest page at last');
    if (i.kind.cache === 's-maxage=100000') check(/; hit/.test(r.fields['cache-status']), 'from the store', r.fields['cache-status']);
  }
  c.close();
});
done();
