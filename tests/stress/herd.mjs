// A thousand visitors of a cold page at the same moment, on both workers: one request at the origin, a thousand equal
// bodies, and all of them read the first part while the origin still sends.
import { Client, check, done, equal, eventually, gate, scaled, stress, within } from './lib.mjs';

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
done();
