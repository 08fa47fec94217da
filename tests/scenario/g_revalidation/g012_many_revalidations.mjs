// A thousand revalidations leave the head as large as it was: no field accumulates.
// scenarios G12, CACHING.md 3.6
import { equal, reply, scenario } from '../lib.mjs';

let n = 0;
const fields = { 'Cache-Control': 'public, no-cache', ETag: '"a"', Via: '1.1 origin', 'X-A': '1', Link: '</a>; rel=x', Vary: 'X-V' };
const answer = (r) => {
  n++;
  const conditional = r.fields['if-none-match'] === '"a"';
  const head = Object.entries({ ...fields, 'Cache-Status': 'origin; hit', 'Set-X': 'y' }).map(([k, v]) => `${k}: ${v}\r\n`).join('');
  return conditional ? `HTTP/1.1 304 Not Modified\r\n${head}\r\n` : reply('page', fields);
};
await scenario({ answer }, async ({ connect, cases, freshet }) => {
  const c = connect();
  const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
  await c.send(get);
  await c.answers();
  let size;
  let memory;
  for (let i = 1; i <= 1000; i++) {
    c.text = '';
    await c.send(get);
    const [r] = await c.answers();
    equal(r.body, 'page');
    if (i === 10) {
      size = r.head.length;
      memory = (await freshet.gauges()).memory;
    }
    if (i === 1000) {
      await cases.check('the head is as large', () => equal(r.head.length, size));
      await cases.check('each field is there once', () => equal(r.head.match(/^X-A:/gm).length, 1));
      await cases.check('and so is the memory', async () => equal(Math.abs((await freshet.gauges()).memory - memory) < 4096, true, 'equal'));
    }
  }
  c.close();
  await cases.check('each asked the origin', () => equal(n, 1001));
});
