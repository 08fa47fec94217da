// rfc9111: a Range that is sent on to the origin takes its If-Range along, so who has a part of another version gets the whole, and never a part that does
// not fit his own.
// CACHING.md 6.2, 3.7; RFC 9110 13.1.5
// also over tls, h2
import { equal, reply, scenario } from '../lib.mjs';

const page = '0123456789';
const answer = (r) => {
  const fields = { ETag: '"new"', 'Cache-Control': 'max-age=600' };
  const stands = !r.fields['if-range'] || r.fields['if-range'] === '"new"';
  return r.fields.range && stands ? reply(page.slice(2, 5), { ...fields, 'Content-Range': 'bytes 2-4/10' }, '206 Partial Content') : reply(page, fields);
};
await scenario({ answer, flags: ['--profile', 'rfc9111'] }, async ({ ask, cases, origin }) => {
  await cases.check('of another version: the whole', async () => {
    const r = await ask('/a', { Range: 'bytes=2-4', 'If-Range': '"old"' });
    equal(`${r.status} ${r.body}`, `200 ${page}`);
    equal(origin.requests.at(-1).fields['if-range'], '"old"');
  });
  await cases.check('of this one: the part', async () => {
    const r = await ask('/b', { Range: 'bytes=2-4', 'If-Range': '"new"' });
    equal(`${r.status} ${r.body}`, '206 234');
  });
  await cases.check('without a Range there is no If-Range', async () => {
    equal((await ask('/c', { 'If-Range': '"old"' })).body, page);
    equal(origin.requests.at(-1).fields['if-range'], undefined);
  });
});
