// "Incremental: ?1" and event streams: each byte goes on before the next one is there, in both directions, and nobody waits for such a
// request. QUERY passes with its body.
// CACHING.md 6.4, 7
// also over tls, h2
import net from 'node:net';
import { equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const pieces = [];
const held = [];
const incremental = { Incremental: '?1' };
const heads = {
  '/stored': 'Cache-Control: s-maxage=60\r\nIncremental: ?1\r\nTransfer-Encoding: chunked\r\n',
  '/passing': 'Cache-Control: no-store\r\nIncremental: ?1\r\nTransfer-Encoding: chunked\r\n',
  '/length': 'Cache-Control: s-maxage=60\r\nIncremental: ?1\r\nContent-Length: 3\r\n',
  '/events': 'Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n',
};
const answer = async (r) => {
  const head = heads[r.target];
  if (r.target === '/held') await new Promise((release) => held.push(release));
  if (!head) return reply(`${r.method} ${r.body} ${r.fields.incremental ?? ''}`, { 'Cache-Control': 's-maxage=60', 'Accept-Query': '"application/json"' });
  const chunked = /chunked/.test(head);
  for (let i = 0; i < 3; i++) pieces[i] = gate();
  return [`HTTP/1.1 200 OK\r\n${head}\r\n`, ...pieces.map((p, i) => p.opened.then(() => (chunked ? `1\r\n${i}\r\n` : `${i}`))), ...(chunked ? ['0\r\n\r\n'] : [])];
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n  buffers:\n    hosts: [buffers]\n    origin: ${process.env.UPLOADS ?? url}\n    upload_length: buffer\n`;

// An origin for uploads: it notes what came, and answers before the upload is whole.
const heard = { text: '' };
const uploads = net.createServer((s) => {
  s.on('error', () => {});
  s.on('data', (d) => {
    const first = heard.text === '';
    heard.text += d.toString('latin1');
    if (first) s.write('HTTP/1.1 200 OK\r\nIncremental: ?1\r\nTransfer-Encoding: chunked\r\n\r\n');
    s.write('1\r\n.\r\n');
    if (heard.text.endsWith('0\r\n\r\n')) s.write('0\r\n\r\n');
  });
});
await new Promise((r) => uploads.listen(0, '127.0.0.1', r));
process.env.UPLOADS = `http://127.0.0.1:${uploads.address().port}`;

await scenario({ answer, yaml, flags: ['--first-byte-timeout', '10m'] }, async ({ ask, cases, connect, freshet, origin }) => {
  for (const path of Object.keys(heads))
    await cases.check(`${path}: the head, then each byte before the next`, async () => {
      const c = connect();
      pieces.length = 0;
      await c.send(request(path));
      await soon(() => pieces.length === 3);
      await c.when('the head', () => c.text.includes('\r\n\r\n'));
      for (let i = 0; i < 3; i++) {
        pieces[i].open();
        await c.when(`byte ${i}`, () => c.text.split('\r\n\r\n').slice(1).join('').includes(`${i}`));
      }
      c.close();
      await freshet.settle();
    });

  await cases.check('a request that says so waits for nobody, and nobody for it', async () => {
    const release = () => held.splice(0).forEach((r) => r());
    const first = ask('/held', incremental);
    await soon(() => held.length === 1);
    const second = ask('/held', { Incremental: '?1;x=y' });
    await soon(() => held.length === 2);
    const usual = ask('/held');
    await soon(() => held.length === 3);
    const others = [ask('/held', { Incremental: '?0' }), ask('/held', { Incremental: '1' }), ask('/held', { Incremental: 'yes' })];
    await freshet.until('requests', '==', 6);
    equal(held.length, 3, 'fetches');
    release();
    await Promise.all([first, second, usual, ...others]);
    equal((await ask('/held', incremental)).fields['cache-status'].slice(0, 12), 'freshet; hit');
  });

  const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
  await cases.check('an upload goes on as it comes, and its answer with it, though uploads are collected', async () => {
    const c = connect();
    await c.send(`POST / HTTP/1.1\r\nHost: buffers\r\nIncremental: ?1\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('one')}`);
    await soon(() => heard.text.includes('one'));
    await c.when('the answer', () => /200 OK[^]*\./.test(c.text));
    equal(/\r\nIncremental: \?1\r\n/i.test(heard.text), true, 'the field goes on');
    await c.send(chunk('two'));
    await soon(() => heard.text.includes('two'));
    await c.send('0\r\n\r\n');
    await c.answers();
    c.close();
  });
  await cases.check('one that does not is collected', async () => {
    heard.text = '';
    const c = connect();
    await c.send(`POST / HTTP/1.1\r\nHost: buffers\r\nIncremental: ?0\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('half')}`);
    await freshet.until('requests', '==', 1, 'request_body_bytes_total', '>=', 10);
    equal(heard.text, '');
    c.close();
    await freshet.settle();
  });

  await cases.check('QUERY passes with its body, and makes nothing stale', async () => {
    equal((await ask('/q')).body, 'GET  ');
    const r = await ask('/q', { 'Content-Type': 'application/json' }, { method: 'QUERY', body: '{"a":1}' });
    equal(r.body, 'QUERY {"a":1} ');
    equal(r.fields['accept-query'], '"application/json"');
    equal(r.fields['cache-status'], 'freshet; fwd=method');
    equal(origin.requests.at(-1).fields['content-type'], 'application/json');
    equal((await ask('/q')).fields['cache-status'].slice(0, 12), 'freshet; hit');
  });
  uploads.close();
});
