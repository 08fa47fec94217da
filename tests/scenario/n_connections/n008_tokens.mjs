// Thousands of mixed requests over shared connections, with clients and origins that break off: every answer carries the token
// of its own request.
// scenarios N8, v
import { check, reply, scenario } from '../lib.mjs';

let seed = 12345;
const strange = []; // requests that no client sent
const random = (n) => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 10) % n;
const answer = (r, origin) => {
  const token = /token=(\w+)/.exec(r.target)?.[1] ?? r.fields['x-token'];
  if (token === undefined) {
    strange.push(JSON.stringify(r.line + '\n' + r.head));
    return reply('strange');
  }
  const text = `[${token}]`.repeat(1 + (token.length * 37) % 400);
  if (random(50) === 0) {
    for (const s of origin.sockets) {
      s.destroy();
      break;
    }
  }
  return random(3) === 0 ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    : reply(text, random(2) ? { 'Cache-Control': 'max-age=60' } : {});
};
await scenario({ answer, flags: ['--workers', '2'] }, async ({ connect, cases, freshet }) => {
  let answered = 0;
  const one = async (id) => {
    for (let round = 0; round < 60; round++) {
      const c = connect();
      const tokens = Array.from({ length: 1 + random(8) }, (_, k) => `t${id}x${round}x${k}x${'z'.repeat(random(20))}`);
      const methods = tokens.map(() => ['GET', 'GET', 'POST', 'GET'][random(4)]);
      await c.send(tokens.map((t, k) => (methods[k] === 'POST'
        ? `POST /p HTTP/1.1\r\nHost: test\r\nX-Token: ${t}\r\nContent-Length: 3\r\n\r\nabc`
        : `GET /g?token=${t} HTTP/1.1\r\nHost: test\r\n\r\n`)).join(''));
      if (random(6) === 0) {
        c.close(); // in the middle of it
        continue;
      }
      await c.when('answers', () => c.ended || c.responses().filter((r) => !r.cut).length >= tokens.length, 20_000);
      const got = c.responses();
      c.close();
      for (const [k, r] of got.entries()) {
        if (r.cut || r.status !== 200) continue;
        answered++;
        if (!new RegExp(`^(\\[${tokens[k]}\\])+$`).test(r.body)) throw new Error(`${tokens[k]} got ${r.body.slice(0, 60)}`);
      }
    }
  };
  await cases.check('every answer is its own', () => Promise.all(Array.from({ length: 20 }, (_, i) => one(i))));
  await cases.check('the origin saw no request that nobody sent', () => check(strange.length === 0, strange[0]));
  await cases.check('most were answered', () => check(answered > 2000, `${answered} answers`));
  await freshet.settle();
});
