// Ten thousand values of a header that a page varies on: a bounded number of variants, bounded memory, and other pages stay.
// scenarios I6, U12; hostile h3-22 (Vary flooding), h0-06
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.target} ${r.fields['x-v'] ?? ''}`, { 'Cache-Control': 'max-age=600', ...(r.target === '/flood' ? { Vary: 'X-V' } : {}) });
await scenario({ answer, flags: ['--variants', '100'] }, async ({ connect, ask, cases, freshet, origin }) => {
  await ask('/other');
  const c = connect();
  const count = 10_000;
  for (let i = 0; i < count; i += 100) {
    c.text = '';
    await c.send(Array.from({ length: 100 }, (_, k) => `GET /flood HTTP/1.1\r\nHost: test\r\nX-V: ${i + k}\r\n\r\n`).join(''));
    const all = await c.answers(100, [], 30_000);
    if (i === 0 || i === 5000) await cases.check('each his own', () => all.forEach((r, k) => equal(r.body, `/flood ${i + k}`)));
    if (i === 1000) c.memory = (await freshet.gauges()).memory;
  }
  c.close();
  const gauges = await freshet.gauges();
  await cases.check('at most a hundred variants', () => check(gauges.objects <= 101, `${gauges.objects} objects`));
  await cases.check('bounded memory', () => check(gauges.memory < 2 * c.memory + 65536, `${gauges.memory} after ${c.memory}`));
  await cases.check('each was asked for once', () => equal(origin.requests.length, count + 1));
  await cases.check('the other page is still a hit', async () => check(/^freshet; hit/.test((await ask('/other')).fields['cache-status']), 'a miss'));
});
