// A request that makes the origin fail does not make its page fail for others: no error is stored for the clean key.
// hostile h3-03 (HHO), h3-04 (HMC), h3-05 (CPDoS other), h3-02 (Method override), h0-05
import { check, equal, reply, scenario } from '../lib.mjs';

const triggers = [{ 'X-Big': 'a'.repeat(8000) }, { 'Max-Forwards': '0' }, { 'Max-Forwards': 'x' }, { Range: 'bytes=5-4' }, { Range: 'bytes=99999-' }, { Upgrade: 'x', Connection: 'upgrade' },
  { 'If-Match': '"x"' }, { 'If-Unmodified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, { 'Content-Type': '\xffjunk' }, { Accept: 'x/y' }, { 'X-Metachar': 'a' }, { 'User-Agent': 'evil' },
  { 'Accept-Charset': 'x' }, { 'Content-Encoding': 'x' }, { Origin: 'null' }, { Referer: 'evil' }, { 'X-WAF': 'attack' }, { Via: '1.1 x' }, { Cookie: 'a='.repeat(2000) }];
const statuses = [304, 400, 401, 403, 405, 406, 408, 412, 413, 414, 415, 416, 417, 429, 431, 500, 501, 502, 503, 504];
let status;
let trigger;
const answer = (r) => {
  const fields = { 'Cache-Control': 'max-age=60' };
  const bad = Object.entries(trigger).some(([n, v]) => (r.fields[n.toLowerCase()] ?? '').includes(v));
  if (!bad) return reply('page', fields);
  return status === 304 ? 'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\n\r\n' : reply('error', fields, `${status} Error`);
};
await scenario({ answer }, async ({ ask, connect, cases, origin }) => {
  for (const [i, t] of triggers.entries()) {
    trigger = t;
    for (status of statuses) {
      await cases.check(`${JSON.stringify(t).slice(0, 60)}, ${status}`, async () => {
        await ask(`/${i}/${status}`, t);
        const clean = await ask(`/${i}/${status}`);
        equal(`${clean.status} ${clean.body}`, '200 page');
      });
    }
  }
  const before = origin.requests.length;
  for (const value of ['\n', '\r', '\x07', '\0', '\x7f', '\x1b', 'a\nb', 'a\rb']) {
    await cases.check(`a value with ${JSON.stringify(value)} stays outside`, async () => {
      const c = connect();
      await c.send(`GET /meta HTTP/1.1\r\nHost: test\r\nX-M: a${value}b\r\n\r\n`);
      await c.closed();
      equal(c.responses()[0].status, 400);
      check(!/max-age/.test(c.text), 'may be stored');
      c.close();
    });
  }
  await cases.check('none of them reached the origin', () => equal(origin.requests.length, before));
});
