// Every response that is not stored says why in the detail of Cache-Status, and is indeed not stored.
// CACHING.md 6.5; each reason of tbl/reasons.h that an origin's head can cause
import { equal, reply, scenario } from '../lib.mjs';

const rows = [
  ['detail=no-store', { 'Cache-Control': 'max-age=60, no-store' }],
  ['detail=private', { 'Cache-Control': 'max-age=60, private' }],
  ['detail=set-cookie', { 'Cache-Control': 'max-age=60', 'Set-Cookie': 'a=b' }],
  ['detail=set-cookie', { 'Cache-Control': 'max-age=60', 'Set-Cookie2': 'a=b' }],
  ['detail=authorization', { 'Cache-Control': 'max-age=60' }, { Authorization: 'Basic x' }],
  ['detail=no-permission', {}],
  ['detail=no-permission', { 'Last-Modified': 'Thu, 01 Jan 2015 00:00:00 GMT' }],
  ['detail=no-permission', { 'Cache-Control': 'must-revalidate' }],
  ['detail=no-lifetime', { 'Cache-Control': 'public' }],
  ['detail=no-lifetime', { 'Cache-Control': 'max-age=0' }],
  ['detail=no-lifetime', { 'CDN-Cache-Control': 's-maxage=-1' }],
  ['detail=status', { 'Cache-Control': 'max-age=60' }, {}, '400 Bad Request'],
  ['detail=status', { 'Cache-Control': 'max-age=60' }, {}, '500 Oh'],
  ['detail=vary-star', { 'Cache-Control': 'max-age=60', Vary: '*' }],
  ['detail=vary-star', { 'Cache-Control': 'max-age=60', Vary: 'Accept, *' }],
  ['detail=vary-invalid', { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'cookies=a' }],
  ['detail=vary-invalid', { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'query=' }],
  ['detail=vary-invalid', { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'header=Cookie' }],
  ['detail=vary-invalid', { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'query=a b' }],
  ['detail=tags-limit', { 'Cache-Control': 'max-age=60', 'Cache-Tag': Array.from({ length: 501 }, (_, i) => i).join() }],
  ['detail=tags-limit', { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'x'.repeat(1025) }],
  ['detail="targeted-invalid: CDN-Cache-Control, byte 10"', { 'Cache-Control': 'max-age=60', 'CDN-Cache-Control': 'no-store;;' }],
  ['detail=partial', { 'Cache-Control': 'max-age=60', 'Content-Range': 'bytes 0-5/100' }, {}, '206 Partial Content'],
  ['detail=must-understand', { 'Cache-Control': 'max-age=60, must-understand' }, {}, '299 Odd'],
];
let current;
let n = 0;
await scenario({ answer: () => reply(`body ${++n}`, current[1], current[3]) }, async ({ ask, cases }) => {
  for (const [i, row] of rows.entries()) {
    current = row;
    await cases.check(`${row[0]}: ${JSON.stringify(row[1]).slice(0, 100)}`, async () => {
      const first = await ask(`/${i}`, row[2]);
      const second = await ask(`/${i}`, row[2]);
      equal(first.fields['cache-status'], `freshet; fwd=uri-miss; ${row[0]}`, 'Cache-Status');
      equal(second.body !== first.body, true, 'answered by the origin again');
      // Nobody learns why from the store: the second, too, says it itself.
      equal(/; detail=([a-z-]+|"targeted-invalid: [^"]+")$/.test(second.fields['cache-status']), true, `second Cache-Status ${second.fields['cache-status']}`);
    });
  }
});
