// Which statuses are stored, with and without an explicit lifetime, in both profiles; 206 and 304 never.
// scenarios A12, CACHING.md 2.2, 2.3, 2.7; hostile h3-05 (CPDoS other)
import { equal, reply, scenario } from '../lib.mjs';

const statuses = [200, 201, 202, 203, 204, 205, 206, 299, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 407, 408,
  409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 425, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504, 505, 508, 511, 599];
const isr = (s) => (s < 300 && s !== 206) || (s >= 300 && s < 400 && s !== 304) || s === 404 || s === 410 || s === 451;

let n = 0;
const answer = (r) => {
  const m = /\/(\d+)\/(\w+)/.exec(r.target);
  const none = +m[1] === 204 || +m[1] === 205;
  const fields = { ...(m[2] === 'explicit' ? { 'Cache-Control': 'max-age=60' } : {}), ...(m[2] === 'error' ? { 'Cache-Control': 'public' } : {}),
    ...(+m[1] === 206 ? { 'Content-Range': 'bytes 0-9/100' } : {}), ...(+m[1] === 401 ? { 'WWW-Authenticate': 'Basic' } : {}), 'X-N': ++n };
  return +m[1] === 204 ? `HTTP/1.1 204 None\r\nX-N: ${n}\r\n${fields['Cache-Control'] ? 'Cache-Control: max-age=60\r\n' : ''}\r\n`
    : reply(none ? '' : '0123456789', fields, `${m[1]} Text`);
};
await scenario({ answer, yaml: (url) => `sites:
  isr:
    hosts: [isr]
    origin: ${url}
  book:
    hosts: [book]
    profile: rfc9111
    origin: ${url}` }, async ({ ask, cases }) => {
  const twice = async (host, target) => {
    const first = await ask(target, { Host: host });
    const second = await ask(target, { Host: host });
    return [first, second, first.fields['x-n'] === second.fields['x-n']];
  };
  for (const status of statuses) {
    for (const [host, stored] of [['isr', isr(status)], ['book', true]]) {
      if (host === 'book' && status === 206) continue; // stored as the part that it is: see h_ranges
      await cases.check(`${host} ${status} with max-age`, async () => {
        const [first, second, same] = await twice(host, `/${status}/explicit`);
        equal(first.status, status, 'first status');
        equal(second.status, status, 'second status');
        equal(same, stored, 'stored');
        if (same) equal(second.body, first.body, 'body');
      });
    }
    await cases.check(`isr ${status} without lifetime`, async () => {
      equal((await twice('isr', `/${status}/none`))[2], false, 'stored');
    });
  }
});
