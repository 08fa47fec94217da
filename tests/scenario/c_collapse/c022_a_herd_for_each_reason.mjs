// Thirty at once for what is not stored, whatever the reason: one asks, then all others do, in parallel, or one of them for the others;
// the next thirty all ask at once when the answer said something of the page. Never a third round. Each reason of src/tbl/reasons.h has a
// herd here, or the table says where it has one, or why it can have none.
// CACHING.md 6.4, 3.5
import fs from 'node:fs';
import { check, equal, hangup, reply, scenario, soon } from '../lib.mjs';

const HERD = 30;
const minute = { 'Cache-Control': 's-maxage=60' };
const all = [[1, HERD - 1], [HERD]]; // one, then all at once; the next herd at once
const anew = [[1, HERD - 1], [1, HERD - 1]]; // nothing of it is remembered
const same = [[1], [1]]; // all get the one's error

const none = [[0], [0]]; // nobody asks the origin

// What an origin can answer: reason, a name, the answer, rounds of two herds; `first`: what is asked before, and what it is answered with;
// `fields`: of each request, `each`: of one; `options`: method and body; `site`: by which of the hosts below; `stored`: the second herd
// finds a page, but for who may not have it; `prepare`: what happens before both; `at_once`: all are answered while a fetch is held;
// `turn`: how far the clock is turned instead of letting the origin answer; `shown`: what Cache-Status says where it is not the reason;
// `on_path`: the target itself.
const tags = Array.from({ length: 501 }, (_, i) => `t${i}`).join();
const stale = { 'CDN-Cache-Control': 'max-age=0, stale-while-revalidate=600' };
const old = { 'Cache-Control': 'max-age=1, must-revalidate' };
const rows = [
  ['no-store', '', () => reply('x', { 'Cache-Control': 'no-store' }), all],
  ['private', '', () => reply('x', { 'Cache-Control': 'private' }), all],
  ['private-veto', '', () => reply('x', { 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': 'private' }), all, { site: 'vetoes' }],
  ['set-cookie', '', () => reply('x', { ...minute, 'Set-Cookie': 'a=1' }), all],
  ['no-permission', '', () => reply('x'), all],
  ['no-lifetime', '', () => reply('x', { 'Cache-Control': 'public' }), all],
  ['status', 400, () => reply('x', minute, '400 Bad Request'), all],
  ['status', 401, () => reply('x', { 'WWW-Authenticate': 'Basic' }, '401 Unauthorized'), all],
  ['status', 403, () => reply('x', {}, '403 Forbidden'), all],
  ['status', 404, () => reply('x', {}, '404 Not Found'), all],
  ['asset-missing', '', () => reply('x', minute, '404 Not Found'), all, { on_path: '/_next/static/chunks/x.js' }],
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
  ['unkeyed-cookie', '', () => reply('x', minute), [[1, 1], [0]], { fields: { Cookie: 'a=1' }, stored: true }],
  ['bypass-cookie', '', () => reply('x', minute), [[HERD], [HERD]], { fields: { Cookie: 'wordpress_logged_in_1=a' } }],
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
  ['origin-limit', '', () => reply('x', { ...minute, 'X-Long': 'x'.repeat(100_000) }), same],
  ['first-byte-timeout', '', () => reply('x', minute), same, { site: 'hurried', turn: '6s' }],
  ['dev', '', () => reply('x', minute), all, { site: 'dev' }],
  ['request-no-store', '', () => reply('x', minute), [[HERD], [HERD]], { site: 'book', fields: { 'Cache-Control': 'no-store' } }],
  ['method', 'a POST', () => reply('x', minute), [[HERD], [HERD]], { options: { method: 'POST', body: 'x' }, shown: /; fwd=method$/ }],
  ['method', 'a HEAD of an unknown page', () => reply('', minute), [[HERD], [HERD]], { options: { method: 'HEAD' } }],
  ['request-body', '', () => reply('x', minute), [[HERD], [HERD]], { options: { body: 'x' } }],
  ['upgrade', 'which the origin does not want', () => reply('x', minute), [[HERD], [HERD]], { fields: { Connection: 'Upgrade', Upgrade: 'websocket' } }],
  ['range', 'of a large page', () => reply('x', { 'Content-Range': 'bytes 0-0/5000' }, '206 Partial Content'), [[HERD], [HERD]],
    { first: ['', reply('x'.repeat(5000), minute)], fields: { Range: 'bytes=0-0' } }],
  ['refreshing', '', () => reply('new', stale), [[1], [1]], { first: ['', reply('old', stale)], wait: '10s', at_once: true }],
  ['refresh-backoff', '', () => reply('new', stale), none, { at_once: true, prepare: async (ask, freshet) => {
    row.now = reply('old', stale);
    await ask();
    await freshet.advance('10s');
    row.now = reply('x', {}, '500 Internal Server Error');
    await ask();
    await freshet.settle();
  } }],
  ['only-if-cached', '', () => reply('x', minute), none, { fields: { 'Cache-Control': 'only-if-cached' }, at_once: true }],
  ['bypass-rule', '', () => reply('x', minute), [[HERD], [HERD]], { site: 'ruled' }],
  ['redirect-rule', '', () => reply('x', minute), none, { site: 'ruled', at_once: true }],
  ['https-redirect', '', () => reply('x', minute), none, { site: 'secure', at_once: true }],
  ['unknown-host', '', () => reply('x', minute), none, { fields: { Host: 'nobody.test' }, at_once: true }],
  ['bad-request', '', () => reply('x', minute), none, { on_path: '/%zz', at_once: true }],
  ['connect-failed', '', () => reply('x', minute), none, { site: 'gone', at_once: true }],
];

// Those without a row, and why.
const others = {
  'no-memory': 'c025: it needs a freshet whose memory is full',
  'not-shared': 'c002: who has lost his patience waits for nobody, and nobody for him',
  purged: 'o005: who came after the purge waits for a fetch that began after it; who came before gets the answer',
  'no-socket': 'the descriptors that a herd itself needs are gone: t013. Its fetch ends as one of connect-failed does',
  'connect-timeout': 'ends as connect-failed does, later (t001b, t014)',
  'resolve-failed': 'ends as connect-failed does (t011)',
  'origin-tls': 'ends as connect-failed does (to001)',
  'between-bytes-timeout': 'comes behind a head: who waited reads along by then and is cut with the others (t001)',
  'origin-error': 'is said of an origin in status and metrics, never of an answer to who waits',
  'origin-drained': 'the same (t022)',
  'origin-queue-full': 'is the end of a fetch before it began: all that wait for this fetch get it, as connect-failed',
  'origin-drained': 'the same (t022)',
  'origin-queue-timeout': 'the same, later',
  'kept-asset': 'is said of what stands in for a 404, which each waiter looks for again (w002)',
  'gave-way': 't016: only prefetches wait for such a fetch, each other request makes it an ordinary one',
  'tunnel-limit': 'an upgrade passes: nobody waits for it',
  'stream-limit': 'event streams pass: nobody waits for them (c024)',
  loop: 'is said of a request before anybody could wait for it (c015); who waits for the fetch behind which it loops gets its 508: status',
  draining: 'a freshet that ends accepts nobody: there is no herd to come',
  'client-gone': 'nobody is there to be answered: his fetch goes on for the others, or ends as cancelled',
  'handed-over': 'is said at a freshet that ends: what it is still asked passes (v030)',
  'slow-body': 'is the end of one upload (s002)',
  overload: 'is said of a miss before anybody could wait for it (u013)',
  'slow-reader': 'is the end of one reader who has the head already',
  'disk-failed': 'comes behind a head, amid a delivery from disk: nobody waits for another (r024)',
  cancelled: 'nobody waits for such a fetch; who joins it meanwhile looks again (c010)',
  'upload-failed': 'only what passes has an upload: nobody waits for it',
};

const held = [];
let row;
const answer = async (r) => {
  if (row.now !== undefined) return row.now;
  await new Promise((release) => held.push(release));
  return row[2](r);
};
const hosts = {
  hurried: 'first_byte_timeout: 5s', // of all others 20 minutes: nobody's time is up by chance
  dev: 'profile: dev',
  vetoes: 'private_vetoes: true',
  book: 'profile: rfc9111',
  ruled: "rules: [{ path: '/bypass-rule', bypass: true }, { path: '/redirect-rule', redirect: '/x' }]",
  secure: 'https_redirect: true',
  gone: 'origin: http://127.0.0.1:1',
};
const site = (name, host, more, url) => `  ${name}:\n    hosts: [${host}]\n` +
  [...(/^origin/.test(more) ? [] : [`origin: ${url}`]), 'object_bytes: 4K', 'wait_timeout: 10m',
    ...(/first_byte/.test(more) ? [] : ['first_byte_timeout: 20m']), more].map((l) => `    ${l}\n`).join('');
const yaml = (url) => 'sites:\n' + site('one', 'test', '', url) +
  Object.entries(hosts).map(([name, more]) => site(name, `${name}.test`, more, url)).join('');
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  for (row of rows) {
    const [reason, name, , herds, more = {}] = row;
    const { query = '', first, each, wait, stored, options, at_once, turn } = more;
    const title = `${reason} ${name}`.trim();
    const path = more.on_path ?? `/${title.replace(/\W/g, '-')}`;
    const of_site = { Host: more.site ? `${more.site}.test` : 'test' };
    const one = (i) => ask(path + query, { ...of_site, ...(each ? each(i) : more.fields) }, options);
    if (first) {
      row.now = first[1];
      await ask(path + first[0], of_site);
      if (wait) await freshet.advance(wait);
    }
    if (more.prepare) await more.prepare(() => ask(path, of_site), freshet);
    delete row.now;
    for (const [i, rounds] of herds.entries()) {
      await cases.check(`${title}: herd ${i + 1}`, async () => {
        if (at_once) await freshet.settle(); // the refresh of the herd before
        const before = origin.requests.length;
        const got = [one(0)];
        if (rounds[0] === 1) await soon(() => held.length === 1, 3000); // who the one is shall be certain
        for (let n = 1; n < HERD; n++) got.push(one(n));
        if (at_once) await Promise.all(got);
        else if (!(stored && i)) await freshet.until('requests', '==', HERD);
        try {
          for (const [at, n] of rounds.entries()) {
            await soon(() => held.length >= n, 3000).catch(() => {});
            equal(held.length, n, `fetches of round ${at + 1}`);
            if (turn) await freshet.advance(turn);
            for (const release of held.splice(0)) release();
          }
        } finally {
          const end = setInterval(() => held.splice(0).forEach((release) => release()), 5);
          const answers = await Promise.all(got);
          clearInterval(end);
          const status = answers[0].fields['cache-status'];
          const shown = more.shown ?? new RegExp(`detail="?${reason}`);
          if (rounds[0] || at_once) check(shown.test(status), status);
          if (turn || herds === none) answers.forEach((r) => equal(r.fields['cache-status'].replace('; collapsed', ''), status.replace('; collapsed', ''), 'the same for all'));
        }
        equal(origin.requests.length - before, rounds.reduce((a, b) => a + b), 'fetches');
      });
    }
    await freshet.settle();
  }
  // No reason is left out: it has a row, or stands among the others, never both.
  const table = fs.readFileSync(new URL('../../../src/tbl/reasons.h', import.meta.url), 'utf8');
  const reasons = [...table.matchAll(/^REASON\(\w+, *"([a-z-]+)", *(GO|LOOK|SAME), *(SETS|CLEARS|KEEPS),/gm)];
  check(reasons.length > 40, `${reasons.length} reasons`);
  for (const [, detail, waiters, mark] of reasons)
    await cases.check(`${detail} has a herd`, () => {
      const has = rows.some(([r]) => r === detail);
      check(has !== detail in others, `${detail} (${waiters}): a herd, or why there is none`);
      check(has || mark !== 'SETS', `${detail} sets a mark: it needs a herd`);
    });
  const scenarios = fs.readdirSync(new URL('../..', import.meta.url), { recursive: true }).map((f) => f.split('/').at(-1));
  for (const [detail, why] of Object.entries(others))
    await cases.check(`${detail} is a reason, and the tests that are named are there`, () => {
      check(reasons.some(([, d]) => d === detail), detail);
      for (const [id] of why.matchAll(/\b[a-z]\d{3}b?\b/g)) check(scenarios.some((f) => f.startsWith(`${id}_`)), id);
    });
});
