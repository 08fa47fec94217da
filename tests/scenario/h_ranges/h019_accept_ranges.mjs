// A stored page of which freshet can give ranges says so (Accept-Ranges: bytes), also to whoever brought it, when the origin says nothing;
// what the origin says stays, and what is not stored goes out as it came.
// CACHING.md 6.2
import { brotliCompressSync } from 'node:zlib';
import { equal, reply, scenario } from '../lib.mjs';

const fresh = { 'Cache-Control': 'max-age=60', ETag: '"e"' };
const short = { 'Cache-Control': 'max-age=5', ETag: '"e"' };
// Target: what the origin sends, what the client sees.
const pages = {
  '/stored': [() => reply('0123456789', fresh), 'bytes'],
  '/encoded': [() => reply(brotliCompressSync('0123456789').toString('latin1'), { ...fresh, 'Content-Encoding': 'br' }), 'bytes'],
  '/none': [() => reply('0123456789', { ...fresh, 'Accept-Ranges': 'none' }), 'none'],
  '/theirs': [() => reply('0123456789', { ...fresh, 'Accept-Ranges': 'bytes' }), 'bytes'],
  '/chunked': [() => 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n', 'bytes'],
  '/private': [() => reply('0123456789', { 'Cache-Control': 'private' }), undefined],
  '/missing': [() => reply('0123456789', fresh, '404 Not Found'), undefined],
  '/created': [() => reply('0123456789', fresh, '203 Non-Authoritative Information'), undefined],
};
const answer = (r) => {
  if (r.target === '/confirmed') return r.fields['if-none-match'] ? 'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\nCache-Control: max-age=60\r\n\r\n' : reply('0123456789', short);
  return pages[r.target][0](r);
};
const said = (r) => r.fields['accept-ranges'];

await scenario({ answer }, async ({ ask, cases, freshet }) => {
  for (const [target, [, expected]] of Object.entries(pages)) {
    await cases.check(target, async () => {
      equal(said(await ask(target)), expected, 'the first time');
      equal(said(await ask(target)), expected, 'the second time');
      equal(said(await ask(target, {}, { method: 'HEAD' })), expected, 'HEAD');
    });
  }
  await cases.check('206 and 416 have it too, a 304 has not', async () => {
    const part = await ask('/stored', { Range: 'bytes=2-3' });
    equal(`${part.status} ${said(part)} ${part.body}`, '206 bytes 23');
    const beyond = await ask('/stored', { Range: 'bytes=20-' });
    equal(`${beyond.status} ${said(beyond)}`, '416 bytes');
    const same = await ask('/stored', { 'If-None-Match': '"e"' });
    equal(`${same.status} ${said(same)}`, '304 undefined');
  });
  await cases.check('a confirmed page says it once', async () => {
    await ask('/confirmed');
    await freshet.advance('10s');
    const r = await ask('/confirmed');
    equal(`${r.fields['cache-status']}: ${said(r)}`, 'freshet; fwd=stale; fwd-status=304; stored: bytes');
    equal(said(await ask('/confirmed')), 'bytes', 'the hit');
  });
});
