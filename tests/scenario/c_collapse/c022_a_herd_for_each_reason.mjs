// Thirty at once for what is not stored, whatever the reason: one asks, then all others do, in parallel, or one of them for the others;
// the next thirty all ask at once when the answer said something of the page. Never a third round.
// CACHING.md 6.4, 3.5
import fs from 'node:fs';
import { check, equal, hangup, reply, scenario, soon } from '../lib.mjs';

const HERD = 30;
const minute = { 'Cache-Control': 's-maxage=60' };
const all = [[1, HERD - 1], [HERD]]; // one, then all at once; the next herd at once
const anew = [[1, HERD - 1], [1, HERD - 1]]; // nothing of it is remembered
const same = [[1], [1]]; // all get the one's error

// What an origin can answer: reason, a name, the answer, rounds of two herds; `first`: what is asked before, and what it is answered with;
// `fields`: of each request, `each`: of one; `stored`: the second herd finds a page, but for who may not have it.
const tags = Array.from({ length: 501 }, (_, i) => `t${i}`).join();
const old = { 'Cache-Control': 'max-age=1, must-revalidate' };
const rows = [
  ['no-store', '', () => reply('x', { 'Cache-Control': 'no-store' }), all],
  ['private', '', () => reply('x', { 'Cache-Control': 'private' }), all],
  ['set-cookie', '', () => reply('x', { ...minute, 'Set-Cookie': 'a=1' }), all],
  ['no-permission', '', () => reply('x'), all],
  ['no-lifetime', '', () => reply('x', { 'Cache-Control': 'public' }), all],
  ['status', 400, () => reply('x', minute, '400 Bad Request'), all],
  ['status', 401, () => reply('x', { 'WWW-Authenticate': 'Basic' }, '401 Unauthorized'), all],
  ['status', 403, () => reply('x', {}, '403 Forbidden'), all],
  ['status', 404, () => reply('x', {}, '404 Not Found'), all],
  ['status', 'a 404 without a lifetime', () => reply('x', { 'Cache-Control': 'public', ETag: '"x"' }, '404 Not Found'), all],
  ['status', 500, () => reply('x', minute, '500 Internal Server Error'), anew],
  ['status', 503, () => reply('x', minute, '503 Service Unavailable'), anew],
  ['status', 429, () => reply('x', minute, '429 Too Many Requests'), anew],
  ['partial', '', () => reply('x', { ...minute, 'Content-Range': 'bytes 0-0/9' }, '206 Partial Content'), all],
  ['must-understand', '', () => reply('x', { 'Cache-Control': 's-maxage=60, must-understand' }, '299 New'), all],
  ['vary-star', '', () => reply('x', { ...minute, Vary: '*' }), all],
  ['vary-invalid', '', () => reply('x', { ...minute, 'Netlify-Vary': 'cokie=a' }), all],
  ['vary-conflict', '', () => reply('x', { ...minute, Vary: 'X-A, X-B' }, '404 Not Found'), all,
    { query: '?a', first: ['', reply('x', { ...minute, Vary: 'X-A' })] }],
  ['unkeyed-query', '', () => reply('x', { ...minute, 'Netlify-Vary': 'query=id' }), [[1, 1], [0]], { query: '?id=1&x=1', stored: true }],
  ['tags-limit', '', () => reply('x', { ...minute, 'Cache-Tag': tags }), all],
  ['targeted-invalid', '', () => reply('x', { ...minute, 'CDN-Cache-Control': 'no-store, =' }), all],
  ['too-large', '', () => reply('x'.repeat(5000), minute), all],
  ['connection-auth', '', () => reply('x', { ...minute, 'WWW-Authenticate': 'NTLM' }), all],
  ['authorization', '', () => reply('x', { 'Cache-Control': 'max-age=60' }), [[HERD], [HERD]], { fields: { Authorization: 'Basic eA==' } }],
  // A variant is his alone, and so is what is learnt of it: the others look again under the rule and one of them asks for all.
  ['private', 'of one visitor', (r) => reply('x', { ...(/login/.test(r.fields.cookie ?? '') ? { 'Cache-Control': 'private' } : minute), 'Netlify-Vary': 'cookie=login' }),
    [[1, 1], [1]], { each: (i) => (i ? {} : { Cookie: 'login=1' }), stored: true }],
  ['status', 'expired, and the origin fails', () => reply('x', {}, '500 Internal Server Error'), anew, { first: ['', reply('old', old)], wait: '10s' }],
  ['stale-error', 'expired, and the origin fails', () => reply('x', {}, '500 Internal Server Error'), same,
    { first: ['', reply('old', { 'CDN-Cache-Control': 'max-age=1, stale-if-error=600' })], wait: '10s' }],
  ['origin-closed', 'expired, and the origin hangs up', () => ['HTTP/1.1 200 OK\r\n', hangup], same, { first: ['', reply('old', old)], wait: '10s' }],
  ['origin-closed', '', () => ['HTTP/1.1 200 OK\r\n', hangup], same],
  ['origin-invalid', '', () => ['what is this\r\n\r\n', hangup], same],
];

const held = [];
let row;
const answer = async (r) => {
  if (row.now !== undefined) return row.now;
  await new Promise((release) => held.push(release));
  return row[2](r);
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n    object_bytes: 4K\n    wait_timeout: 10m\n    first_byte_timeout: 20m\n`;
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  for (row of rows) {
    const [reason, name, , herds, { query = '', first, fields = {}, each = () => fields, wait, stored } = {}] = row;
    const title = `${reason} ${name}`.trim();
    const path = `/${title.replace(/\W/g, '-')}`;
    if (first) {
      row.now = first[1];
      await ask(path + first[0]);
      delete row.now;
      if (wait) await freshet.advance(wait);
    }
    for (const [i, rounds] of herds.entries()) {
      await cases.check(`${title}: herd ${i + 1}`, async () => {
        const before = origin.requests.length;
        const got = [ask(path + query, each(0))];
        if (rounds[0] === 1) await soon(() => held.length === 1, 3000); // who the one is shall be certain
        for (let n = 1; n < HERD; n++) got.push(ask(path + query, each(n)));
        if (!(stored && i)) await freshet.until('requests', '==', HERD);
        try {
          for (const [at, n] of rounds.entries()) {
            await soon(() => held.length >= n, 3000).catch(() => {});
            equal(held.length, n, `fetches of round ${at + 1}`);
            for (const release of held.splice(0)) release();
          }
        } finally {
          const end = setInterval(() => held.splice(0).forEach((release) => release()), 5);
          const answers = await Promise.all(got);
          clearInterval(end);
          const status = answers[0].fields['cache-status'];
          if (rounds[0]) check(new RegExp(`detail="?${reason}`).test(status), status);
        }
        equal(origin.requests.length - before, rounds.reduce((a, b) => a + b), 'fetches');
      });
    }
    await freshet.settle();
  }
  // No reason that says something of a page, or of who waits for it, is left out.
  const table = fs.readFileSync(new URL('../../../src/tbl/reasons.h', import.meta.url), 'utf8');
  for (const [, detail, waiters, mark] of table.matchAll(/^REASON\(\w+, *"([a-z-]+)", *(GO|LOOK|SAME), *(SETS|CLEARS|KEEPS),/gm))
    if (mark === 'SETS' && detail !== 'dev')
      await cases.check(`${detail} has a herd`, () => check(rows.some(([r]) => r === detail), `no herd for ${detail} (${waiters})`));
});
