// An origin that does not answer, or pauses in its body, runs into its time limits; others are not affected.
// scenarios T2, T3
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => (r.target === '/silent' ? null : r.target === '/pause' ? 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nhalf' : reply('x'));
await scenario({ answer, flags: ['--first-byte-timeout', '20s', '--between-bytes-timeout', '10s'] }, async ({ connect, ask, cases, freshet }) => {
  const get = async (target) => {
    const c = connect();
    await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
    return c;
  };
  const silent = await get('/silent');
  await freshet.until('fetches', '==', 1);
  await freshet.advance('15s');
  await cases.check('others are answered meanwhile', async () => equal((await ask('/other')).body, 'x'));
  await freshet.advance('6s');
  await cases.check('504', async () => {
    const [r] = await silent.answers();
    equal(r.status, 504);
    check(/detail=first-byte-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  silent.close();
  const pause = await get('/pause');
  await pause.when('half', () => pause.text.endsWith('half'));
  await freshet.advance('11s');
  await cases.check('the body is cut', async () => {
    await pause.closed();
    equal(pause.responses()[0].cut, true);
  });
  const again = await get('/pause');
  await cases.check('and was not stored', () => again.when('half', () => again.text.endsWith('half') && !/hit/.test(again.text)));
  again.close();
  await freshet.advance('11s');
  await freshet.settle();
});
