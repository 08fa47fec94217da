// A thousand visitors of a cold page at the same moment, on both workers: one request at the origin, a thousand equal
// bodies, and all of them read the first part while the origin still sends. Then many small herds, of cold and of stale pages.
import { Client, below, chance, check, done, equal, eventually, gate, pause, scaled, stress, within } from './lib.mjs';

const visitors = scaled(1000, 100);
const part = Buffer.alloc(70_000, 'a');
const rest = Buffer.alloc(130_000, 'b');
const whole = Buffer.concat([part, rest]);
const go_on = gate();
let asked = 0;

async function answer(request, c) {
  asked++;
  await c.write(`HTTP/1.1 200 OK\r\nCache-Control: s-maxage=600\r\nContent-Length: ${whole.length}\r\n\r\n`);
  await c.write(part);
  await go_on.opened;
  await c.write(rest);
}

await stress('a thousand visitors of one cold page', { answer }, async ({ freshet, at }) => {
  const clients = Array.from({ length: visitors }, () => new Client(at));
  let reading = 0;
  const all_read = gate();
  const answers = clients.map((c) => c.ask('/', {}, { onData: (a) => {
    if (a.bytes >= part.length && !a.counted) {
      a.counted = true;
      if (++reading === visitors) all_read.open();
    }
  } }));
  await within(() => `all have the first part while the origin sends (${reading} have)`, all_read.opened);
  equal(asked, 1, 'one request at the origin');
  const g = await freshet.gauges();
  equal(g.fetches_total, 1, 'one fetch');
  equal(g.requests_open, visitors, 'all are in flight');
  go_on.open();
  for (const r of await within('all answers', Promise.all(answers))) {
    check(r.status === 200 && !r.cut && r.body.equals(whole), 'the body is whole', () => `${r.status} ${r.body.length} bytes, cut ${r.cut}`);
  }
  equal(asked, 1, 'still one request');
  const hit = await clients[0].ask('/');
  check(/; hit/.test(hit.fields['cache-status']), 'the next one is a hit', () => hit.fields['cache-status']);
  clients.forEach((c) => c.close());
  await freshet.settle();
  // The number of a request begins with its worker's.
  await eventually('all records are written', () => freshet.records().length === visitors + 1);
  const workers = new Set(freshet.records().map((r) => r.request_id.split('-')[1].length > 10));
  equal(workers.size, 2, 'both workers had visitors');
});

{
  // Small herds, many of them: a fetch that is over before the others have settled down to wait must wake them nevertheless.
  const asked_for = new Map();
  const answer = async (request, c) => {
    const { target } = request;
    const n = (asked_for.get(target) ?? 0) + 1;
    asked_for.set(target, n);
    if (chance(0.5)) await pause(below(3));
    const body = `${target} answer ${n} ` + 'z'.repeat(target.length * 97);
    const head = `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=10, stale-while-revalidate=1000\r\nContent-Length: ${body.length}\r\n\r\n`;
    if (chance(0.5)) return void (await c.write(head + body));
    await c.write(head);
    if (chance(0.5)) await pause(0);
    await c.write(body);
  };
  const rounds = scaled(500, 80);
  await stress(`${rounds} small herds`, { answer, flags: ['--idle-timeout', '1d'] }, async ({ freshet, at }) => {
    const clients = Array.from({ length: 12 }, () => new Client(at));
    const herd = async (target) => {
      const got = await within(`the herd of ${target}`, Promise.all(clients.map(async (c) => {
        if (chance(0.3)) await new Promise(setImmediate);
        return c.ask(target);
      })));
      const seen = got.map((r) => +(/ answer (\d+) (z+)$/.exec(r.body.toString('latin1'))?.[1] ?? 0));
      check(got.every((r) => r.status === 200 && !r.cut) && seen.every((n) => n > 0), 'all are answered', () => `${target}: ${got.map((r) => r.status)} ${seen}`);
      return seen;
    };
    for (let round = 0; round < rounds; round++) {
      const target = `/page-${round}`;
      check((await herd(target)).every((n) => n === 1), 'all get the one answer', target);
      equal(asked_for.get(target), 1, 'the origin is asked once');
      if (round % 4) continue;
      // Stale: the old one goes to all who ask before the new one is there, and one refresh runs.
      await freshet.settle();
      await freshet.advance(11_000);
      check((await herd(target)).every((n) => n === 1 || n === 2), 'the old one, or already the new one', target);
      await freshet.settle();
      equal(asked_for.get(target), 2, 'one refresh');
      check((await herd(target)).every((n) => n === 2), 'then the new one', target);
    }
    clients.forEach((c) => c.close());
  });
}
done();
