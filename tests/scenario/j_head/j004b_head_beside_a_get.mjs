// An answer to a HEAD that passed, with another length or validator than the page stored meanwhile, makes that be revalidated.
// scenarios J4; CACHING.md 6.3; RFC 9111 section 4.3.5
// also over tls, h2
import { equal, gate, reply, scenario } from '../lib.mjs';

const date = (day) => `${day} Jan 2015 00:00:00 GMT`;
const same = { 'Content-Length': '4', ETag: '"a"', 'Last-Modified': date('Thu, 01') };
// What the HEAD is told, with which status, and what the stored page is then: a hit, or asked for again.
const rows = [
  ['all is the same', same, 200, 'hit'],
  ['nothing is told', {}, 200, 'hit'],
  ['the length alone, the same', { 'Content-Length': '4' }, 200, 'hit'],
  ['another length', { ...same, 'Content-Length': '5' }, 200, 'stale'],
  ['another ETag', { ...same, ETag: '"b"' }, 200, 'stale'],
  ['another Last-Modified', { ...same, 'Last-Modified': date('Fri, 02') }, 200, 'stale'],
  ['an error page', { 'Content-Length': '5', ETag: '"b"' }, 500, 'hit'],
];
let held;
let told;
await scenario({ answer: async (r) => {
  if (r.fields['if-none-match']) return 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n';
  if (r.method === 'GET') return reply('page', { ...same, 'Cache-Control': 's-maxage=60' });
  const [, fields, status] = told;
  await held.opened;
  return `HTTP/1.1 ${status} X\r\n${Object.entries(fields).map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\n`;
} }, async ({ ask, cases, freshet, origin, arrived }) => {
  for (const [i, row] of rows.entries()) {
    await cases.check(row[0], async () => {
      told = row;
      held = gate();
      origin.requests.length = 0;
      const passed = ask(`/${i}`, {}, { method: 'HEAD' });
      await arrived(1);
      equal((await ask(`/${i}`)).fields['cache-status'], 'freshet; fwd=uri-miss; stored');
      held.open();
      equal((await passed).status, row[2]);
      await freshet.settle();
      const again = await ask(`/${i}`);
      equal(again.body, 'page');
      equal(again.fields['cache-status'].replace(/ttl=\d+/, 'ttl=N'), row[3] === 'hit' ? 'freshet; hit; ttl=N' : 'freshet; fwd=stale; fwd-status=304; stored');
      equal(origin.requests.map((r) => `${r.method} ${r.fields['if-none-match'] ?? ''}`).join(), `HEAD ,GET ${row[3] === 'hit' ? '' : ',GET "a"'}`);
      // Confirmed, it is as good as new.
      equal((await ask(`/${i}`)).fields['cache-status'].replace(/ttl=\d+/, 'ttl=N'), 'freshet; hit; ttl=N');
    });
  }
});
