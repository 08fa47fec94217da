// The origin's Date counts towards the age, is never negative, and a Date of the future makes nothing younger.
// scenarios P3, P5, CACHING.md 3.1, 3.2
import { check, equal, reply, scenario } from '../lib.mjs';

let fields;
await scenario({ answer: () => reply('x', fields) }, async ({ ask, cases }) => {
  const now = Date.now();
  const date = (ms) => new Date(now + ms).toUTCString();
  const hour = 3_600_000;
  // name, fields, is the second request a hit, age on it at least and at most
  const rows = [
    ['an hour ago', { Date: date(-hour), 'Cache-Control': 'max-age=7200' }, true, 3599, 3610],
    ['an hour ago, too old', { Date: date(-hour), 'Cache-Control': 'max-age=3000' }, false],
    ['in an hour', { Date: date(hour), 'Cache-Control': 'max-age=60' }, true, 0, 5],
    ['Age above Date', { Date: date(-10_000), Age: '100', 'Cache-Control': 'max-age=200' }, true, 100, 105],
    ['Date above Age', { Date: date(-hour), Age: '5', 'Cache-Control': 'max-age=7200' }, true, 3599, 3610],
    ['no Date', { 'Cache-Control': 'max-age=60' }, true, 0, 5],
    ['a broken Date', { Date: 'yesterday', 'Cache-Control': 'max-age=60' }, true, 0, 5],
    ['1969', { Date: 'Wed, 31 Dec 1969 23:59:59 GMT', 'Cache-Control': 'max-age=60' }, null],
    ['Expires in 2106', { Expires: 'Sun, 07 Feb 2106 06:28:16 GMT' }, true, 0, 5],
    ['Expires in 9999', { Expires: 'Fri, 31 Dec 9999 23:59:59 GMT' }, true, 0, 5],
    ['Expires an hour after Date', { Date: date(-1000), Expires: date(hour) }, true, 0, 10],
    ['Expires before Date', { Date: date(0), Expires: date(-1000) }, false],
    ['Expires in RFC 850', { Expires: 'Sunday, 06-Nov-44 08:49:37 GMT' }, true, 0, 5],
    ['Expires in asctime', { Expires: 'Sun Nov  6 08:49:37 2044' }, true, 0, 5],
    ['Expires: 0', { Expires: '0' }, false],
    ['Expires with another zone', { Expires: 'Sun, 06 Nov 2044 08:49:37 CET' }, false],
    ['an Age of 2^31', { Age: '2147483648', 'Cache-Control': 'max-age=4294967296' }, null],
    ['a negative Age', { Age: '-1', 'Cache-Control': 'max-age=60' }, true, 0, 5],
    ['two Ages', { Age: '7, 9999', 'Cache-Control': 'max-age=60' }, true, 7, 12],
  ];
  for (const [i, [name, f, hit, least, most]] of rows.entries()) {
    fields = f;
    await cases.check(name, async () => {
      await ask(`/${i}`);
      const r = await ask(`/${i}`);
      const is = /^freshet; hit/.test(r.fields['cache-status']);
      if (hit !== null) equal(is, hit, 'hit');
      if (r.fields.age !== undefined) check(/^\d+$/.test(r.fields.age) && +r.fields.age <= 2147483648, `Age ${r.fields.age}`);
      if (hit) check(+r.fields.age >= least && +r.fields.age <= most, `Age ${r.fields.age}`);
    });
  }
});
