// With `upload_length: buffer` a chunked upload reaches the origin with a Content-Length, once it is whole; one that is larger than
// upload_buffer is a 413. Without it, it goes on in chunks as it comes.
// CACHING.md 7
import { check, equal, request, scenario, reply, soon } from '../lib.mjs';

const answer = (r) => reply(`${r.fields['content-length'] ?? '-'} ${r.fields['transfer-encoding'] ?? '-'} ${r.body.length}`);
const yaml = (url) => `sites:\n  buffers:\n    hosts: [buffers]\n    origin: ${url}\n    upload_length: buffer\n    upload_buffer: 64K\n` +
  `  streams:\n    origin: ${url}\n`;
const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
const chunked = (...pieces) => `${pieces.map(chunk).join('')}0\r\n\r\n`;
const head = (host, more = '', method = 'POST') => `${method} / HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n${more}\r\n`;
await scenario({ yaml, answer }, async ({ connect, cases, freshet, origin, ask }) => {
  const heard = () => origin.requests.length;
  for (const method of ['POST', 'PUT', 'PATCH', 'GET']) for (const bytes of [0, 1, 1000, 65_535, 65_536]) {
    await cases.check(`${method}, ${bytes} bytes, then the next request`, async () => {
      const c = connect();
      const body = 'x'.repeat(bytes);
      await c.send(head('buffers', '', method) + chunked(...[body.slice(0, bytes >> 1), body.slice(bytes >> 1)].filter(Boolean)) + request('/next', { Host: 'buffers' }));
      const [r, next] = await c.answers(2);
      equal(r.body, `${bytes} - ${bytes}`);
      equal(next.body, '- - 0');
      equal(origin.requests.at(-2).body, body);
      c.close();
    });
  }
  await cases.check('the origin hears nothing before it is whole', async () => {
    await freshet.settle();
    const before = heard(), c = connect();
    await c.send(head('buffers') + chunk('first'));
    await freshet.until('request_body_bytes_total', '>=', 5, 'requests', '==', 1);
    equal((await freshet.gauges()).fetches, 0);
    equal(heard(), before);
    await c.send(chunk('second') + '0\r\n\r\n');
    equal((await c.answers())[0].body, '11 - 11');
    c.close();
  });
  for (const [name, body] of [['by one byte', chunked('x'.repeat(65_537))], ['by much, without an end', chunk('x'.repeat(200_000))]]) {
    await cases.check(`too large ${name}: 413, and the origin hears nothing`, async () => {
      const before = heard(), c = connect();
      await c.send(head('buffers') + body);
      const [r] = await c.answers();
      equal(r.status, 413);
      check(/detail=bad-request/.test(r.fields['cache-status']), r.fields['cache-status']);
      equal(heard(), before);
      c.close();
      await freshet.settle();
    });
  }
  await cases.check('broken chunks: 400, and the origin hears nothing', async () => {
    const before = heard(), c = connect();
    await c.send(head('buffers') + chunk('good') + 'zz\r\nbad\r\n');
    equal((await c.answers())[0].status, 400);
    equal(heard(), before);
    c.close();
  });
  await cases.check('a client that leaves in the middle', async () => {
    const before = heard(), c = connect();
    await c.send(head('buffers') + chunk('half'));
    await freshet.until('requests', '==', 1);
    c.close();
    await freshet.settle();
    equal(heard(), before);
  });
  await cases.check('who waits to be told to go on is told', async () => {
    const c = connect();
    await c.send(head('buffers', 'Expect: 100-continue\r\n'));
    await c.when('100', () => c.text.includes(' 100 '));
    await c.send(chunked('body'));
    equal((await c.answers()).at(-1).body, '4 - 4');
    c.close();
  });
  await cases.check('an upload with a length streams as ever', async () => {
    const r = await ask('/', { Host: 'buffers' }, { method: 'POST', body: 'y'.repeat(100_000) });
    equal(r.body, '100000 - 100000');
  });
  await cases.check('another site: chunks as they come', async () => {
    const c = connect();
    await c.send(head('streams') + chunk('first'));
    await soon(async () => (await freshet.gauges()).fetches === 1);
    await c.send(chunk('second') + '0\r\n\r\n');
    equal((await c.answers())[0].body, '- chunked 11');
    c.close();
  });
});
