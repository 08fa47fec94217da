// A targeted field that does not parse is called so, with the field and the byte: in Cache-Status, access log, explain and counter,
// whatever it held, and also when the next field permits storing.
// CACHING.md 1.2, 6.5
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const field = 'CDN-Cache-Control';
// What the origin sends, what is said of it, is it stored.
const rows = [
  [[[field, 'Max-Age=60']], `${field}, byte 1`],
  [[[field, 'max-age = 60']], `${field}, byte 9`],
  [[[field, 'max-age=60,']], `${field}, byte 11`],
  [[[field, 'max-age=60; ']], `${field}, byte 12`],
  [[[field, 'max-age=']], `${field}, byte 9`],
  [[[field, 'public max-age=60']], `${field}, byte 8`],
  [[[field, 'max-age="60"']], `${field}, byte 9`],
  [[[field, 'max-age=60.0']], `${field}, byte 9`],
  [[[field, 'max-age=1m']], `${field}, byte 10`],
  [[[field, 'public'], [field, 'max-age=60;;']], `${field}, line 2, byte 12`],
  [[[field, 'NO-STORE'], ['Cache-Control', 's-maxage=60']], `${field}, byte 1`],
  [[[field, 'Max-Age=60'], ['Cache-Control', 'private, no-store']], `${field}, byte 1`],
  [[[field, 'Max-Age=60'], ['Cache-Control', 's-maxage=60']], `${field}, byte 1`, true],
  [[['Netlify-CDN-Cache-Control', 'max-age:60'], [field, 'max-age=60']], 'Netlify-CDN-Cache-Control, byte 8', true],
];
const answer = (r) => {
  const [fields] = rows[+r.target.slice(1)];
  return `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${fields.map(([n, v]) => `${n}: ${v}\r\n`).join('')}\r\nhi`;
};
const records = () => fs.readFileSync('access', 'utf8').split('\n').slice(0, -1).map(JSON.parse);

await scenario({ answer, flags: ['--access-log', 'access'] }, async ({ ask, cases, freshet }) => {
  const firsts = [];
  for (const i of rows.keys()) firsts.push(await ask(`/${i}`));
  await soon(() => fs.existsSync('access') && records().length === rows.length);
  for (const [i, [fields, where, stored]] of rows.entries()) {
    await cases.check(fields.map((f) => f.join(': ')).join(' | '), async () => {
      const first = firsts[i];
      const said = `detail="targeted-invalid: ${where}"`;
      equal(first.fields['cache-status'], `freshet; fwd=uri-miss; ${stored ? 'stored; ' : ''}${said}`, 'Cache-Status');
      const record = records().find((r) => r.url === `/${i}`);
      equal(`${record.reason}: ${record.detail}`, `targeted-invalid: ${where}`, 'access log');
      const explained = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=http://test/${i}`)).text);
      if (stored) {
        equal(explained.stored.targeted_invalid, where, 'explain');
        check(/^freshet; hit; ttl=\d+$/.test((await ask(`/${i}`)).fields['cache-status']), 'a hit');
      } else {
        equal(`${explained.reason}: ${explained.detail}`, `targeted-invalid: ${where}`, 'explain');
        check(/in lower case/.test(explained.advice), `advice: ${explained.advice}`);
        // A page that is found without a fetch running, once more.
        equal((await ask(`/${i}`)).fields['cache-status'].replace(/fwd=[a-z-]+/, 'fwd'), `freshet; fwd; ${said}`, 'the second time');
      }
    });
  }
  await cases.check('the command line says it too', () => {
    const text = freshet.run('explain', 'http://test/0').stdout;
    check(text.includes(`targeted-invalid (${field}, byte 1): a targeted field does not parse`), text);
    check(freshet.run('explain', 'http://test/12').stdout.includes(`ignored     ${field}, byte 1`), 'the stored one');
  });
  await cases.check('counted each time, said once', async () => {
    equal((await freshet.gauges()).targeted_invalid_total, rows.length + rows.filter((r) => !r[2]).length, 'targeted_invalid_total');
    equal(freshet.log().match(/does not parse/g)?.length, 1, 'records in the log');
  });
  await cases.check('not for what was not asked', async () => {
    rows.push([[[field, 'durable']]], [[['Netlify-CDN-Cache-Control', 's-maxage=60'], [field, 'Max-Age=60']]]);
    equal((await ask(`/${rows.length - 2}`)).fields['cache-status'], 'freshet; fwd=uri-miss; detail=no-permission');
    equal((await ask(`/${rows.length - 1}`)).fields['cache-status'], 'freshet; fwd=uri-miss; stored');
  });
});
