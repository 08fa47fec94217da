// Ranges of a stored body: 206 with exact bytes, 416, the whole body when in doubt; never more bytes than the body has.
// scenarios H1, H2, H4, H5, H10, H12, CACHING.md 6.2; hostile h3-18 (Range amplification)
// also over tls, h2
import { check, equal, reply, scenario } from '../lib.mjs';

const body = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(33 + (i % 90))).join('');
const answer = (r) => (r.target === '/empty' ? reply('', { 'Cache-Control': 'max-age=60' })
  : reply(body, { 'Cache-Control': 'max-age=60', ETag: r.target === '/weak' ? 'W/"w"' : '"s"', 'Content-Type': 'text/x',
    'Last-Modified': 'Thu, 01 Jan 2015 00:00:00 GMT', Date: 'Thu, 01 Jan 2015 00:00:00 GMT', 'CDN-Cache-Control': 'max-age=2147483648' }));

const single = [['0-9', 0, 9], ['-10', 990, 999], ['990-', 990, 999], ['990-2000', 990, 999], ['0-0', 0, 0], ['999-999', 999, 999],
  ['0-', 0, 999], ['-1000', 0, 999], ['-5000', 0, 999], ['0-18446744073709551615', 0, 999], ['0000000000000000000000000005-6', 5, 6]];
const whole = ['5-4', 'a-b', '5', '', '-', '1-2-3', '+1-2', '1 - 2', '0x1-2', '1-2;', '--5'];
const none = ['1000-', '1000-2000', '-0', '18446744073709551615-', '99999999999999999999999-'];

await scenario({ answer }, async ({ ask, cases, origin }) => {
  await ask('/');
  await ask('/weak');
  await ask('/empty');
  const range = (r, fields = {}, target = '/', options = {}) => ask(target, { Range: `bytes=${r}`, ...fields }, options);
  for (const [text, first, last] of single) {
    await cases.check(`bytes=${text}`, async () => {
      const r = await range(text);
      equal(r.status, 206, 'status');
      equal(r.fields['content-range'], `bytes ${first}-${last}/1000`, 'Content-Range');
      equal(r.fields['content-length'], String(last - first + 1), 'Content-Length');
      equal(r.body, body.slice(first, last + 1), 'body');
      equal(r.fields.etag, '"s"', 'ETag');
    });
  }
  for (const text of whole) {
    await cases.check(`bytes=${text} is no range`, async () => {
      const r = await range(text);
      equal(r.status, 200, 'status');
      equal(r.body, body, 'body');
    });
  }
  for (const unit of ['chars=0-9', 'bytes 0-9', 'bytes', 'BYTE=0-9']) {
    await cases.check(`Range: ${unit} is none of ours`, async () => equal((await ask('/', { Range: unit })).status, 200));
  }
  for (const text of none) {
    await cases.check(`bytes=${text} cannot be satisfied`, async () => {
      const r = await range(text);
      equal(r.status, 416, 'status');
      equal(r.fields['content-range'], 'bytes */1000', 'Content-Range');
      // A cache in front must not give it to those who want the page.
      equal(r.fields['cache-control'], 'no-store', 'Cache-Control');
      for (const name of ['cdn-cache-control', 'etag', 'last-modified', 'content-type']) equal(r.fields[name], undefined, name);
    });
  }
  await cases.check('an empty body', async () => check([200, 416].includes((await range('0-0', {}, '/empty')).status), 'status'));
  await cases.check('two ranges', async () => {
    const r = await range('0-4, 10-14');
    if (r.status === 200) return equal(r.body, body);
    equal(r.status, 206);
    const boundary = /^multipart\/byteranges; *boundary="?([^"]+)"?$/.exec(r.fields['content-type'])[1];
    const parts = r.body.split(`--${boundary}`);
    equal(parts.length, 4, 'pieces');
    equal(parts[3].trim(), '--', 'the end');
    for (const [i, first] of [[1, 0], [2, 10]]) {
      const [head, ...rest] = parts[i].split('\r\n\r\n');
      check(new RegExp(`^content-range: bytes ${first}-${first + 4}/1000$`, 'im').test(head), `part ${i}: ${head}`);
      check(/^content-type: text\/x$/im.test(head), `part ${i} has no type: ${head}`);
      equal(rest.join('\r\n\r\n'), body.slice(first, first + 5) + '\r\n', `part ${i}`);
    }
  });
  await cases.check('one of two cannot be satisfied', async () => {
    const r = await range('0-4, 5000-');
    check(r.status === 206 ? r.body === body.slice(0, 5) || /multipart/.test(r.fields['content-type']) : r.status === 200, `status ${r.status}`);
  });
  for (const [name, text] of [['a thousand ranges', Array(1000).fill('0-').join()], ['overlapping ones', '0-999,0-999,0-999'],
    ['many small ones', Array.from({ length: 300 }, (_, i) => `${i * 3}-${i * 3}`).join()], ['backwards', '900-910,5-10,300-310,1-2']]) {
    await cases.check(`${name}: never more than the body`, async () => {
      const r = await range(text);
      check([200, 206, 416, 431].includes(r.status), `status ${r.status}`);
      check(r.body.length <= body.length + 8 * 200, `${r.body.length} bytes`);
    });
  }
  await cases.check('If-Range: the strong ETag', async () => equal((await range('0-9', { 'If-Range': '"s"' })).status, 206));
  await cases.check('If-Range: another', async () => equal((await range('0-9', { 'If-Range': '"t"' })).status, 200));
  await cases.check('If-Range: a weak one', async () => equal((await range('0-9', { 'If-Range': 'W/"s"' })).status, 200));
  await cases.check('If-Range: weak on both sides', async () => equal((await range('0-9', { 'If-Range': 'W/"w"' }, '/weak')).status, 200));
  await cases.check('If-Range: another date', async () => equal((await range('0-9', { 'If-Range': 'Thu, 01 Jan 2015 00:00:01 GMT' })).status, 200));
  await cases.check('a condition before the range', async () => equal((await range('0-9', { 'If-None-Match': '"s"' })).status, 304));
  await cases.check('HEAD ignores Range', async () => {
    const r = await range('0-9', {}, '/', { method: 'HEAD' });
    equal(`${r.status} ${r.fields['content-length']}`, '200 1000');
  });
  await cases.check('three requests in all', () => equal(origin.requests.length, 3));
});
