// A long body is on disk in parts: after a restart it is delivered from there, a part at a time, whole and in ranges, to many at once, without
// coming back into memory; and when a part is gone the origin is asked, or the delivery is cut off, and never anything else is sent.
// CACHING.md 6.9
import fs from 'node:fs';
import net from 'node:net';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const part = 256 << 10, size = 3_000_001;
const bytes = (target, n) => {
  const b = Buffer.alloc(n, target);
  for (let i = 0; i < n; i += 1000) b.write(String(i), i, 'latin1');
  return b.toString('latin1');
};
let edition = 1;
const body = (target) => bytes(`${target} ${edition} `, size);
const answer = (r) => {
  const path = r.target;
  const fields = { 'Cache-Control': path === '/short' ? 's-maxage=30' : 's-maxage=86400', 'Cache-Tag': path.slice(1), ETag: `"${path.slice(1)}-${edition}"`, 'Content-Type': 'video/x' };
  if (r.fields['if-none-match'] === `"${path.slice(1)}-${edition}"`) return reply('', fields, '304 Not Modified');
  return reply(body(path), fields);
};
const flags = ['--disk', '64M', '--memory', '32M', '--access-log', 'access'];
await scenario({ answer, flags }, async ({ ask, cases, connect, freshet, origin }) => {
  const status = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
  const disk = async () => (await status()).disk;
  const again = (...more) => freshet.restart(['--origin', origin.url, ...flags, ...more]);
  const is_written = () => soon(async () => (await disk()).long_waiting === 0);
  const asked = (target) => origin.requests.filter((r) => r.target === target).length;
  const is = (r, text, what) => check(r.body === text, `${what}: ${r.body.length} bytes, not the ${text.length} that they should be`);
  const whole = body('/video');
  await cases.check('it is stored, and written in parts', async () => {
    for (const p of ['/video', '/video2', '/video3', '/short']) is(await ask(p), body(p), p);
    await is_written();
    // Three of them have to wait for a walk, since an eighth of the memory is what may wait to be written at one time.
    await soon(async () => (await disk()).responses >= 4 * (1 + Math.ceil(size / part)));
  });
  await cases.check('after a restart it is a hit from disk, and not in memory', async () => {
    await again();
    const r = await ask('/video');
    is(r, whole, 'whole');
    equal(r.fields['content-length'], String(size));
    check(/^freshet; hit/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(asked('/video'), 1);
    check((await disk()).parts_read >= Math.ceil(size / part), JSON.stringify(await disk()));
    const now = await status();
    check(now.memory.used_bytes < size, `${now.memory.used_bytes} bytes`);
  });
  await cases.check('HEAD, a condition and a 304 need no part', async () => {
    const n = (await disk()).parts_read;
    equal((await ask('/video', {}, { method: 'HEAD' })).fields['content-length'], String(size));
    equal((await ask('/video', { 'If-None-Match': '"video-1"' })).status, 304);
    equal((await disk()).parts_read, n);
  });
  for (const [from, to] of [[0, 0], [part - 1, part], [part, 2 * part - 1], [part - 5, 3 * part + 7], [size - 1, size - 1], [1_000_000, size - 1]])
    await cases.check(`a range: ${from} to ${to}`, async () => {
      const r = await ask('/video', { Range: `bytes=${from}-${to}` });
      equal(r.status, 206);
      equal(r.fields['content-range'], `bytes ${from}-${to}/${size}`);
      is(r, whole.slice(from, to + 1), 'range');
    });
  await cases.check('several ranges', async () => {
    const r = await ask('/video', { Range: `bytes=5-14,${part - 3}-${part + 2},2999990-` });
    equal(r.status, 206);
    for (const [a, b] of [[5, 14], [part - 3, part + 2], [2999990, size - 1]])
      check(r.body.includes(`bytes ${a}-${b}/${size}\r\n\r\n${whole.slice(a, b + 1)}\r\n`), `${a}-${b}`);
    equal(asked('/video'), 1);
  });
  await cases.check('many at once share what is read', async () => {
    const n = (await disk()).parts_read, many = [];
    await freshet.stopped(async () => {
      for (let i = 0; i < 30; i++) many.push(ask('/video2', { Range: `bytes=${5 * part}-${5 * part + 9}` }));
      await new Promise((r) => setTimeout(r, 50)); // the kernel has them all
    });
    for (const r of await Promise.all(many)) is(r, body('/video2').slice(5 * part, 5 * part + 10), 'one of many');
    const read = (await disk()).parts_read - n;
    check(read >= 1 && read <= 2, `${read} parts were read`); // by each worker once
    for (const r of await Promise.all(Array.from({ length: 30 }, () => ask('/video2')))) is(r, body('/video2'), 'whole');
    equal(asked('/video2'), 1);
  });
  await cases.check('one that stops reading holds one window, and lets the others go on', async () => {
    const slow = new net.Socket();
    await new Promise((r) => slow.connect({ path: 'front' }, r));
    slow.write('GET /video HTTP/1.1\r\nHost: test\r\n\r\n');
    await new Promise((r) => slow.once('readable', r));
    slow.pause();
    is(await ask('/video'), whole, 'beside it');
    // One is his, and a debug build keeps 4 that nobody uses.
    check((await status()).memory.passing_bytes <= 6 * part, `${(await status()).memory.passing_bytes} bytes in windows`);
    slow.destroy();
    await freshet.settle();
  });
  // A debug build keeps 4 windows that nobody uses.
  await cases.check('the window that comes next is the one that has not been used for longest', async () => {
    for (const i of [4, 6, 7, 8])
      is(await ask('/video', { Range: `bytes=${i * part}-${i * part + 9}` }), whole.slice(i * part, i * part + 10), `part ${i}`);
    is(await ask('/video', { Range: `bytes=${4 * part - 5}-${5 * part - 1}` }), whole.slice(4 * part - 5, 5 * part), 'into part 4');
  });
  // It has 8 windows.
  const all_taken = async () => {
    const slow = [];
    for (let i = 0; i < 8; i++) {
      const c = new net.Socket();
      c.on('error', () => {});
      await new Promise((r) => c.connect({ path: 'front' }, r));
      // So far from each other that no two come to share one.
      c.write(`GET /video${i < 4 ? '' : 2} HTTP/1.1\r\nHost: test\r\nRange: bytes=${(i % 4) * 3 * part}-\r\n\r\n`);
      await new Promise((r) => c.once('readable', r));
      c.pause();
      slow.push(c);
    }
    return slow;
  };
  await cases.check('when all windows are taken by those who stop reading, one waits until one is free, and slow ones are cut off', async () => {
    const slow = await all_taken();
    const before = (await freshet.gauges()).slow_readers_total;
    const waiting = ask('/video3', { Range: `bytes=${5 * part}-${5 * part + 9}` });
    await freshet.until('requests', '==', 9); // who still reads what is on disk would give up when the clock is turned
    await freshet.meanwhile('1s', async () => (await freshet.gauges()).slow_readers_total > before);
    is(await waiting, body('/video3').slice(5 * part, 5 * part + 10), 'who waited');
    for (const c of slow) c.destroy();
    await freshet.settle();
  });
  await cases.check('when none of them is cut off, one that waits gets 503 after fifteen seconds', async () => {
    await again('--send-rate-min', '0');
    const slow = await all_taken(), waits = ask('/video3', { Range: `bytes=${5 * part}-${5 * part + 9}` });
    await freshet.until('requests', '==', 9);
    await freshet.advance('14s');
    equal((await freshet.gauges()).requests_open, 9, 'all wait');
    await freshet.advance('1s');
    const r = await waits;
    equal(r.status, 503);
    check(r.fields['retry-after'] > 0, 'Retry-After');
    check(/detail=overload/.test(r.fields['cache-status']), r.fields['cache-status']);
    for (const c of slow) c.destroy();
    await again();
  });
  await cases.check('a 304 keeps its parts', async () => {
    await freshet.advance('60s');
    is(await ask('/short'), body('/short'), 'confirmed');
    equal(asked('/short'), 2);
    await freshet.settle();
    await again();
    is(await ask('/short'), body('/short'), 'after a restart');
    equal(asked('/short'), 2);
  });
  await cases.check('a newer one takes its place', async () => {
    edition = 2;
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['video2'] }))).status, 202);
    is(await ask('/video2'), body('/video2'), 'newer');
    await is_written();
    await again();
    is(await ask('/video2'), body('/video2'), 'newer, from disk');
    equal(asked('/video2'), 2);
    edition = 1;
  });
  await cases.check('purged it is gone', async () => {
    equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: ['short'] }))).status, 202);
    is(await ask('/short'), body('/short'), 'fetched');
    equal(asked('/short'), 3);
  });
  // Spoils what is on disk of a body from `from` on.
  const spoil = (from, to) => {
    let spoilt = 0;
    for (const f of fs.readdirSync('state/pages').filter((n) => n.endsWith('.segment'))) {
      const data = fs.readFileSync(`state/pages/${f}`), fd = fs.openSync(`state/pages/${f}`, 'r+');
      const stands = Buffer.from(whole.slice(from, to), 'latin1');
      for (let at = data.indexOf(stands); at >= 0; at = data.indexOf(stands, at + 1), spoilt++) fs.writeSync(fd, 'spoilt', at + 100);
      fs.closeSync(fd);
    }
    check(spoilt > 0, 'nothing was spoilt');
  };
  await cases.check('a damaged part amid a delivery cuts it off, and the next one comes from the origin', async () => {
    await again();
    spoil(8 * part, 8 * part + 2000);
    const n = asked('/video');
    const c = connect();
    await c.send('GET /video HTTP/1.1\r\nHost: test\r\n\r\n');
    await c.closed();
    const [r] = c.responses();
    equal(r.cut, true);
    check(r.body.length > 0 && r.body.length <= 8 * part, `${r.body.length} bytes`);
    check(whole.startsWith(r.body), 'what came is right');
    await soon(() => fs.readFileSync('access', 'utf8').includes('"reason":"disk-failed"'));
    is(await ask('/video'), whole, 'the next one');
    equal(asked('/video'), n + 1);
    await is_written();
  });
  await cases.check('a damaged first part is not seen: the origin is asked', async () => {
    await again();
    spoil(0, 2000);
    const n = asked('/video');
    is(await ask('/video'), whole, 'whole');
    equal(asked('/video'), n + 1);
  });
});
