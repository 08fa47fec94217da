// All uploads that `upload_length: buffer` collects take 64 MiB of a worker at most: one more byte is a 503 that says so, and what
// an upload took is given back when it ends, is answered, or when its client leaves.
// CACHING.md 7
import { check, equal, request, scenario, reply } from '../lib.mjs';

const MiB = 1 << 20, short = 32_768, sizes = [16 * MiB, 16 * MiB, 16 * MiB, 16 * MiB - 2 * short, short, short]; // 64 MiB
const answer = (r) => reply(`${r.fields['content-length'] ?? '-'} ${r.body.length}`);
const yaml = (url) => `origin: ${url}\nupload_length: buffer\nupload_buffer: 16M\nrequest_body: 100M\nbody_timeout: 10m\n`;
const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (body) => Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
const last = '0\r\n\r\n';

await scenario({ yaml, answer }, async ({ connect, cases, freshet, origin }) => {
  const heard = () => origin.requests.length;
  const received = async () => (await freshet.gauges()).request_body_bytes_total;
  // Uploads that have sent so much each, and not their ends.
  const collect = async (...sizes) => {
    const before = await received();
    const all = sizes.map(() => connect());
    await Promise.all(all.map((c, i) => c.send(Buffer.concat([Buffer.from(head), chunk(Buffer.alloc(sizes[i], 'x'))]))));
    await freshet.until('request_body_bytes_total', '>=', before + sizes.reduce((sum, n) => sum + n));
    return all;
  };
  // One byte more: refused at once, before its end is there.
  const isRefused = async () => {
    const before = heard(), c = connect();
    await c.send(head + '1\r\nx\r\n');
    const [r] = await c.answers();
    equal(r.status, 503);
    check(/; detail=no-memory$/.test(r.fields['cache-status']), r.fields['cache-status']);
    check(/^503 Service Unavailable\n\nNo room in memory could be made for it\.\nRequest \S+\n$/.test(r.body), r.body);
    check(r.fields['retry-after'] > 0, 'Retry-After');
    equal(heard(), before);
    c.close();
  };
  // So much is taken, and the origin has it whole.
  const isTaken = async (bytes) => {
    const [c] = await collect(bytes);
    await c.send(last + request('/next', { Host: 'a' }));
    const [r, next] = await c.answers(2);
    equal(r.body, `${bytes} ${bytes}`);
    equal(next.status, 200);
    c.close();
  };
  const open = [];
  await cases.check('64 MiB together: the next byte is refused', async () => {
    open.push(...await collect(...sizes));
    await isRefused();
    await isRefused();
    equal(heard(), 0);
  });
  await cases.check('one of them ends: as much may be collected again, and no more', async () => {
    const c = open.pop();
    await c.send(last);
    equal((await c.answers())[0].body, `${short} ${short}`);
    c.close();
    await isTaken(short);
    open.push(...await collect(short));
    await isRefused();
  });
  await cases.check('a client leaves: its part is free', async () => {
    open.pop().close();
    await freshet.until('requests', '==', open.length);
    await isTaken(short);
    open.push(...await collect(short));
    await isRefused();
  });
  await cases.check('all are gone: nothing is left of it', async () => {
    open.forEach((c) => c.close());
    await freshet.settle();
    await isTaken(4 * short);
  });
});
