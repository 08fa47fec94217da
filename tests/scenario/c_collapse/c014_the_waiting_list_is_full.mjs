// When the waiting list of a fetch is full, who comes next goes to the origin on his own, unstored.
// scenarios C14, CACHING.md 6.4 (setting waiters)
// also over tls, h2
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';

const release = [];
let n = 0;
const chunk = (s) => `${s.length.toString(16)}\r\n${s}\r\n`;
const stream = gate();
const answer = async (r) => {
  if (r.target === '/stream')
    return [`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('begun '.repeat(500))}`,
      stream.opened.then(() => `${chunk('ended '.repeat(500))}0\r\n\r\n`)];
  const mine = ++n;
  await new Promise((r) => release.push(r));
  return reply(`page ${mine}`, { 'Cache-Control': 's-maxage=60' });
};
await scenario({ answer, flags: ['--waiters', '3'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const first = ask('/');
  await freshet.until('fetches', '==', 1);
  const others = Array.from({ length: 5 }, () => ask('/'));
  await freshet.until('requests', '==', 6, 'fetches', '>=', 3);
  const asked = (await freshet.gauges()).fetches;
  await soon(() => release.length >= asked);
  release.forEach((r) => r());
  const got = await Promise.all([first, ...others]);
  // The leader's own request may count as one of those who wait.
  const shared = got.filter((r) => r.body === 'page 1').length;
  await cases.check('three or four share a page', () => check(shared === 3 || shared === 4, `${shared}`));
  await cases.check('the others asked alone', () => equal(origin.requests.length, 7 - shared));
  await cases.check('and say so', () => equal(got.filter((r) => /detail=not-shared$/.test(r.fields['cache-status'])).length, 6 - shared));
  await cases.check('the first is what is stored', async () => equal((await ask('/')).body, 'page 1'));
  await cases.check('who gets a coding while it is made counts, too', async () => {
    const before = origin.requests.length, all = [];
    for (let i = 0; i < 6; i++) {
      const c = connect();
      await c.send(request('/stream', { 'Accept-Encoding': 'br' }));
      await c.when('the begin', () => c.text.includes('\r\n\r\n') && !/\r\n\r\n$/.test(c.text));
      all.push(c);
    }
    const alone = all.filter((c) => /detail=not-shared/.test(c.text)).length;
    check(alone === 2 || alone === 3, `${alone} asked alone`);
    equal(origin.requests.length, before + 1 + alone);
    check(all.filter((c) => /content-encoding: br/i.test(c.text)).length >= 3, 'coded');
    stream.open();
    for (const c of all) {
      await c.answers(1);
      c.close();
    }
  });
});
