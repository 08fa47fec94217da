// Sizes around every buffer's edge come through exactly: response and request bodies, chunks, request lines, heads.
// scenarios L7, L8, U3; hostile h0-06
import { check, equal, reply, scenario } from '../lib.mjs';

const edges = [0, 1, 2, 15, 16, 17, 255, 256, 257, 4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384, 16385, 32768, 65535, 65536, 65537,
  131071, 131072, 131073, 262143, 262144, 262145, 1048575, 1048576, 1048577];
const text = (n) => {
  const unit = 'abcdefghijklmnopqrstuvwxyz0123456789-';
  return unit.repeat(Math.ceil(n / unit.length)).slice(0, n);
};
const answer = (r) => {
  const m = /^\/(\w+)\/(\d+)/.exec(r.target);
  const n = +m[2];
  if (m[1] === 'plain') return reply(text(n), { 'Cache-Control': 'max-age=60' });
  if (m[1] === 'chunked') return ['HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n' +
    (n ? `${n.toString(16)}\r\n${text(n)}\r\n` : '') + '0\r\n\r\n'];
  if (m[1] === 'upload') return reply(r.body === text(n) ? 'equal' : `differs: ${r.body.length}`);
  return reply(r.target);
};
await scenario({ answer }, async ({ ask, connect, cases }) => {
  for (const n of edges) {
    for (const kind of ['plain', 'chunked']) {
      for (const which of ['first', 'stored']) {
        await cases.check(`${kind} ${n} ${which}`, async () => {
          const r = await ask(`/${kind}/${n}`);
          equal(r.status, 200);
          check(r.body === text(n), `body of ${r.body.length}`);
        });
      }
    }
    await cases.check(`upload ${n}`, async () => equal((await ask(`/upload/${n}`, { 'Content-Length': n }, { method: 'POST', body: text(n) })).body, 'equal'));
    await cases.check(`upload in chunks ${n}`, async () => {
      const body = (n ? `${n.toString(16)}\r\n${text(n)}\r\n` : '') + '0\r\n\r\n';
      equal((await ask(`/upload/${n}`, { 'Transfer-Encoding': 'chunked' }, { method: 'POST', body })).body, 'equal');
    });
  }
  // The request line: 8 KiB by default. "GET " and " HTTP/1.1" are 13 bytes of it.
  for (const [length, status] of [[8190, 200], [8191, 200], [8192, 200], [8193, 414], [9000, 414], [70000, 414]]) {
    await cases.check(`request line of ${length}`, async () => {
      const target = '/line/0/' + 'a'.repeat(length - 13 - 8);
      const r = await ask(target);
      equal(r.status, status);
      if (status === 200) equal(r.body, target);
    });
  }
  await cases.check('a header section that fits', async () => equal((await ask('/x/0', { X: 'a'.repeat(16000) })).status, 200));
  await cases.check('one that does not', async () => equal((await ask('/x/0', { X: 'a'.repeat(17000) })).status, 431));
  await cases.check('a megabyte', async () => equal((await ask('/x/0', { X: 'a'.repeat(1 << 20) })).status, 431));
  await cases.check('98 fields', async () => equal((await ask('/x/0', Array.from({ length: 98 }, (_, i) => [`X${i}`, 'a']))).status, 200));
  await cases.check('101 fields', async () => equal((await ask('/x/0', Array.from({ length: 101 }, (_, i) => [`X${i}`, 'a']))).status, 431));
  await cases.check('ten thousand fields', async () => equal((await ask('/x/0', Array.from({ length: 10000 }, (_, i) => [`X${i}`, 'a']))).status, 431));
});
