// A coded stream of a page that turns out too large to be stored goes on, at the pace of its slowest reader, in bounded memory; so does one for
// which there is no memory. Over a limit of encoders at a time, pages come plain.
// CACHING.md 6.10, 7
import { brotliDecompressSync, constants, gunzipSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { check, equal, gate, scenario, soon } from '../lib.mjs';

const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
const few = 20, many_of = 160; // 1.3 MiB; 10 MiB are more than the kernel's buffers have
// Text that gets shorter by a half, and no more: nothing of it comes twice.
const text = randomBytes(many_of * 32768).toString('hex');
const piece_at = (i) => text.slice(i * 65536, (i + 1) * 65536);
const head = (more = '') => `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: max-age=60\r\n${more}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
// Of which an encoder gives nothing for long.
const repeats = 'a word and '.repeat(40_000);
const gates = {};
const gate_of = (target) => (gates[target] ??= gate());
let sent = 0;
const pieces_of = (target) => (/slow|goes/.test(target) ? many_of : few);
const answer = async (r, origin) => {
  const s = [...origin.sockets].at(-1);
  if (r.target.startsWith('/waits')) return [head(), chunk(text.slice(0, 2000)), gate_of('waits').opened.then(() => '0\r\n\r\n')];
  if (r.target.startsWith('/repeats')) return [head() + chunk(repeats) + '0\r\n\r\n'];
  const waits = r.target.startsWith('/caught-up');
  if (waits) await gate_of('head').opened;
  s.write(head());
  let resume = () => {};
  s.on('drain', () => resume());
  s.on('close', () => resume());
  const pieces = pieces_of(r.target);
  for (sent = 0; sent < pieces && !s.destroyed; sent++) {
    if (waits && sent === before_gate) await gate_of('rest').opened;
    if (!s.write(chunk(piece_at(sent)))) await new Promise((go) => (resume = go));
  }
  return '0\r\n\r\n';
};
const yaml = (origin) => `sites:\n  one:\n    origin: ${origin}\n    hosts: [test]\n    object_bytes: 1M\n    window_bytes: 256K\n  two:\n    origin: ${origin}\n    hosts: [full]\n    object_bytes: 32M\n    window_bytes: 256K\n  three:\n    origin: ${origin}\n    hosts: [less]\n    object_bytes: 128K\n    window_bytes: 256K\n`;
const before_gate = 15; // pieces: less than object_bytes
const so_far = (r) => {
  if (!r?.body) return '';
  const b = Buffer.from(r.body, 'latin1');
  return ({ br: () => brotliDecompressSync(b, { finishFlush: constants.BROTLI_OPERATION_FLUSH }), gzip: () => gunzipSync(b, { finishFlush: constants.Z_SYNC_FLUSH }) }[r.fields['content-encoding']] ?? (() => b))().toString('latin1');
};
const undo = { br: brotliDecompressSync, gzip: gunzipSync };
const plain = (r) => (undo[r.fields['content-encoding']] ?? ((b) => b))(Buffer.from(r.body, 'latin1')).toString('latin1');

await scenario({ answer, yaml, flags: ['--memory', '8M', '--workers', '2', '--origin-connections', '100'] }, async ({ ask, connect, cases, freshet, origin }) => {
  const get = (target, offer, host) => `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAccept-Encoding: ${offer}\r\nConnection: close\r\n\r\n`;
  for (const host of ['test', 'full'])
    for (const offer of ['br', 'gzip']) {
      const r = await ask(`/${offer}`, { Host: host, 'Accept-Encoding': offer }, { ms: 60_000 });
      await cases.check(`${host}: in ${offer}`, () => equal(r.fields['content-encoding'], offer));
      await cases.check('all of it', () => check(plain(r) === text.slice(0, few * 65536), `${plain(r).length} bytes`));
      await freshet.settle();
      await freshet.until('coding_now', '==', 0);
      await cases.check('nothing of it stays', () => freshet.until('passing_bytes', '==', 0));
    }

  // Slow readers hold up the origin, not memory.
  for (const [offer, host] of [['br', 'test'], ['gzip', 'full']]) {
    const slow = connect();
    slow.socket.pause();
    await slow.send(get(`/slow-${offer}`, offer, host));
    await freshet.until('passing_bytes', '>', 0);
    // Both bodies have a window, and what was kept before the page was too long.
    await cases.check('within bounds, at any time', async () => {
      const before = (await freshet.gauges()).memory;
      for (let i = 0; i < 50; i++) {
        const g = await freshet.gauges();
        check(g.memory + g.passing_bytes < Math.max(before, 8.4e6) + 3e6, JSON.stringify(g));
      }
    });
    await cases.check('the origin is held up', () => check(sent < many_of, `${sent}`));
    slow.socket.resume();
    await slow.closed(100_000);
    const [r] = slow.responses();
    await cases.check('and gets all of it', () => check(plain(r) === text, `${plain(r).length} bytes`));
    slow.close();
    await freshet.settle();
  }

  // Who has all that there is when the page becomes too long gets the rest, and so does who takes it plain.
  for (const offer of ['br', 'gzip']) {
    const readers = [connect(), connect()];
    await readers[0].send(get(`/caught-up-${offer}`, offer, 'test'));
    await readers[1].send(get(`/caught-up-${offer}`, 'identity', 'test'));
    await freshet.until('requests', '==', 2);
    gate_of('head').open();
    for (const c of readers) await c.when('the first part', () => so_far(c.responses()[0]).length === before_gate * 65536, 60_000);
    gate_of('rest').open();
    for (const c of readers) {
      await c.closed(60_000);
      await cases.check(`caught up, ${offer}: all of it`, () => check(plain(c.responses()[0]) === text.slice(0, few * 65536), 'other bytes'));
      c.close();
    }
    delete gates.head;
    delete gates.rest;
    await freshet.settle();
    await freshet.until('coding_now', '==', 0);
  }

  // It is too long, and over, before its coding has a byte to send.
  for (let i = 0; i < 10; i++)
    for (const offer of ['br', 'gzip', 'zstd']) {
      const [r] = await Promise.all([ask(`/repeats/${i}/${offer}`, { Host: 'less', 'Accept-Encoding': offer }), ask(`/repeats/${i}/${offer}`, { Host: 'less' })]);
      if (offer !== 'zstd') await cases.check(`at once, ${offer}: all of it`, () => check(plain(r) === repeats, `${r.status}, ${plain(r).length} bytes`));
      else await cases.check('at once, zstd', () => check(r.status === 200 && !r.cut, r.head));
    }
  await freshet.until('coding_now', '==', 0);

  // One that goes amid ends all of it.
  const goes = connect();
  goes.socket.pause();
  await goes.send(get('/goes', 'br', 'test'));
  await freshet.until('passing_bytes', '>', 0);
  goes.close();
  await freshet.settle();
  await freshet.until('coding_now', '==', 0, 'passing_bytes', '==', 0);
  await cases.check('the rest was not read', () => check(sent < many_of, `${sent}`));

  // Many at a time, once nothing is being written to disk.
  await soon(async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).memory.pinned_bytes < 100e3);
  const many = [];
  for (let i = 0; i < 40; i++) {
    const c = connect();
    many.push(c);
    await c.send(get(`/waits/${i}`, 'br', 'full'));
    await c.when('a head', () => c.text.includes('\r\n\r\n'));
  }
  await cases.check('no more than 32 encoders', async () => equal((await freshet.gauges()).coding_now, 32));
  gate_of('waits').open();
  const coded = [];
  for (const c of many) {
    const [r] = await c.answers(1);
    coded.push(r.fields['content-encoding'] ?? r.fields['cache-status']);
    await cases.check('all of it', () => equal(plain(r), text.slice(0, 2000)));
    c.close();
  }
  await cases.check('the others are plain', () => equal(coded.filter((x) => x === 'br').length, 32, coded.join(' ')));
});
