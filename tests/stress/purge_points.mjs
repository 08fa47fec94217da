// A purge that is acknowledged while a fetch is in flight: whoever asked before gets what was fetched, whoever asks after never gets
// it. At each point of a fetch's life, for a cold page, a revalidation (304) and a background refresh, hard and soft, by tag, URL
// and site, whichever of the two fetches ends first.
import { Client, check, done, equal, eventually, gate, stress, within } from './lib.mjs';

const size = 60_000;
let version = 1; // of the data behind the page
let hold = null; // the fetch that is stepped: {at, reached, go_on}
const points = ['queue', 'asked', 'half head', 'head', 'body', 'last byte', 'done'];
const pad = (text) => text + '.'.repeat(size - text.length);

// Stops where the test wants to look, and says so.
async function at(point, stepped) {
  if (!stepped || stepped.at !== point) return;
  stepped.reached.open();
  await stepped.go_on.opened;
}

async function answer(request, c) {
  if (request.target === '/block') { // keeps the only connection, so that the next fetch has to queue
    await blocked.opened;
    await c.write('HTTP/1.1 204 No Content\r\n\r\n');
    return;
  }
  const stepped = hold;
  hold = null;
  const mine = version; // what the data were when the origin began
  const life = new URLSearchParams(request.target.split('?')[1]).get('life');
  const fields = `Cache-Control: ${life}\r\nCache-Tag: page, data\r\nETag: "v${mine}"\r\n`;
  await at('asked', stepped);
  if (request.fields['if-none-match'] === `"v${mine}"`) {
    const head = `HTTP/1.1 304 Not Modified\r\n${fields}`;
    await c.write(head);
    await at('half head', stepped);
    await c.write('\r\n');
    return;
  }
  const body = pad(`version ${mine} `);
  await c.write(`HTTP/1.1 200 OK\r\n${fields}`);
  await at('half head', stepped);
  await c.write(`Content-Length: ${body.length}\r\n\r\n`);
  await at('head', stepped);
  await c.write(body.slice(0, size / 2));
  await at('body', stepped);
  await c.write(body.slice(size / 2, -1));
  await at('last byte', stepped);
  await c.write(body.slice(-1));
}

let blocked;
const seen = (r) => +(/^version (\d+) /.exec(r.body?.toString('latin1', 0, 20) ?? '')?.[1] ?? -1);

await stress('a purge at each point of a fetch', { answer, flags: ['--origin-connections', '2'] }, async ({ freshet, at: where, origin }) => {
  let n = 0;

  // kind: how the page stands when the fetch begins. how: of the purge. order: which fetch ends first.
  async function one(point, kind, how, soft, order) {
    const name = `${kind}, at ${point}, ${soft ? 'soft' : 'hard'} purge by ${how}, ${order} first`;
    const life = kind === 'refresh' ? 's-maxage=1, stale-while-revalidate=3600' : kind === 'revalidation' ? 's-maxage=1' : 's-maxage=600';
    const target = `/page-${++n}?life=${encodeURIComponent(life)}`;
    const clients = [];
    const ask = (options) => {
      const c = new Client(where);
      clients.push(c);
      return within(`${name}: an answer`, c.ask(target, {}, options));
    };
    const old = ++version;
    if (kind !== 'cold') {
      equal(seen(await ask()), old, `${name}: the page is stored`);
      await freshet.settle();
      await freshet.advance(2000);
    }
    const before = origin.requests;
    const stepped = { at: point, reached: gate(), go_on: gate() };
    let blockers = [];
    if (point === 'queue') {
      blocked = gate();
      blockers = [1, 2].map(() => {
        const c = new Client(where);
        clients.push(c);
        return c.ask('/block', {}, { method: 'POST' });
      });
      await freshet.until('the origin is busy', (g) => g.fetches_open === 2);
      await eventually('both at the origin', () => origin.requests === before + 2);
    } else if (point !== 'done') {
      hold = stepped;
    }
    const first = ask();
    let joined = null;
    if (point === 'queue') await freshet.until('it queues', (g) => g.fetches_open === 3);
    else if (point === 'done') await first.then(() => freshet.settle());
    else await within(`${name}: the point`, stepped.reached.opened);
    if (point !== 'done' && kind !== 'refresh') {
      const joins = (await freshet.gauges()).joins_total;
      joined = ask();
      await freshet.until(`${name}: one has joined`, (g) => g.joins_total === joins + 1);
    }
    // The data change, then the purge is acknowledged.
    const fresh = ++version;
    const what = how === 'tag' ? { cache_tags: ['data'] } : how === 'url' ? { urls: [`http://test${target}`] } : {};
    await freshet.purge({ ...what, soft });
    // With a window a softly purged page may go out stale; nothing else older than the purge may.
    const least = soft && kind === 'refresh' ? old : fresh;
    const after = ask();
    const late = [];
    if (order === 'older') {
      // The one that asked after the purge must not be answered by the older fetch, which ends now.
      stepped.go_on.open();
      blocked?.open();
      await within(name, Promise.all(blockers));
      await within(name, first);
    }
    const r = await after;
    check(seen(r) >= least, `${name}: who asks after the purge gets the new page`, () => `${seen(r)} of ${fresh}, ${r.fields['cache-status']}`);
    late.push(ask());
    if (order === 'newer') {
      stepped.go_on.open();
      blocked?.open();
      await within(name, Promise.all(blockers));
    }
    const first_seen = seen(await first);
    check(first_seen === old || first_seen === fresh, `${name}: who asked before has a page`, first_seen);
    if (joined) {
      const joined_seen = seen(await joined);
      check(joined_seen === old || joined_seen === fresh, `${name}: who joined before has a page`, joined_seen);
    }
    for (const p of late) {
      const l = await p;
      check(seen(l) >= least, `${name}: the next one as well`, () => `${seen(l)} of ${fresh}, ${l.fields['cache-status']}`);
    }
    await freshet.settle();
    if (kind === 'refresh') {
      // What was refreshed with older data was itself purged: a few visitors later all is new.
      await eventually(`${name}: the new page at last`, async () => {
        await freshet.settle();
        return seen(await ask()) === fresh;
      });
    } else {
      equal(seen(await ask()), fresh, `${name}: and it stays`);
    }
    clients.forEach((c) => c.close());
  }

  for (const kind of ['cold', 'revalidation', 'refresh']) {
    for (const point of points) {
      if (kind !== 'cold' && ['head', 'body', 'last byte'].includes(point)) continue; // a 304 ends with its head
      for (const soft of [false, true]) {
        for (const how of ['tag', 'url', 'site']) {
          // Until the head has come nobody knows whether the purge concerns it: who asks then waits for that.
          const orders = ['head', 'body', 'last byte'].includes(point) ? ['older', 'newer'] : ['older'];
          for (const order of orders) await one(point, kind, how, soft, order);
        }
      }
    }
  }
});
done();
