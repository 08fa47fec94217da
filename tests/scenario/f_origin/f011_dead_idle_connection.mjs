// An idle connection that the origin closes just as a request is sent: one silent retry on a new one for GET; a POST with a
// body is not sent twice. An answer that has begun is not asked for again.
// scenarios F11, F12, T7; CACHING.md 7
import { check, equal, reply, scenario, soon } from '../lib.mjs';

let broken = false;
let half = false;
let asked = 0;
const answer = (r, origin) => {
  asked++;
  if (half) return ['HTTP/1.1 200 '];
  return reply(`${r.method} ${r.target}`);
};
await scenario({ answer }, async ({ ask, cases, origin, freshet }) => {
  const real = origin.answer;
  // Makes the origin close a used connection when the second request arrives on it, without an answer.
  const seen = new WeakSet();
  origin.server.on('connection', (s) => {
    let n = 0;
    s.prependListener('data', () => {
      if (++n > 1 && broken) {
        s.removeAllListeners('data');
        s.destroy();
      }
    });
    seen.add(s);
  });
  equal((await ask('/1')).body, 'GET /1');
  broken = true;
  await cases.check('GET is tried again, once', async () => equal((await ask('/2')).body, 'GET /2'));
  broken = false;
  await ask('/3');
  broken = true;
  await cases.check('POST with a body is not', async () => {
    const r = await ask('/4', {}, { method: 'POST', body: 'x' });
    equal(r.status, 502);
    check(origin.requests.filter((q) => q.target === '/4').length <= 1, 'sent twice');
  });
  broken = false;
  half = true;
  await cases.check('"200 " and the end: not again', async () => {
    const before = asked;
    const p = ask('/5');
    await soon(() => asked !== before);
    for (const s of origin.sockets) s.end();
    const r = await p;
    equal(r.status, 502);
    equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=origin-closed');
    equal(asked, before + 1);
  });
  half = false;
  equal(origin.answer, real);
  await freshet.settle();
});
