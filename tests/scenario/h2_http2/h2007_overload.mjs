// When memory is short, connections of HTTP/2 are given up like others: those whose streams hold most for the least progress. Hits go on.
// setting overhead
import { check, equal, gate, reply, scenario, soon } from '../lib.mjs';
import { Frames } from '../h2.mjs';

const open = gate();
const answer = (r) => (r.target.startsWith('/wait') ? open.opened.then(() => reply('')) : reply(r.target, { 'Cache-Control': r.target === '/page' ? 'max-age=6000' : 'no-store' }));
const flags = ['--http2-clear', '--overhead', '16M', '--disk', '0', '--origin-connections', '5', '--origin-queue', '3000', '--queue-timeout', '10m'];
await scenario({ answer, flags }, async ({ ask, cases, freshet }) => {
  await ask('/page');
  const slow = [];
  const upload = () => {
    const c = new Frames('front');
    for (let i = 0; i < 10; i++) {
      const id = c.request(`/wait/${slow.length}/${i}`, {}, { method: 'POST', ends: false });
      for (let k = 0; k < 3; k++) c.data(id, 16_384);
    }
    slow.push(c);
  };
  for (let i = 0; i < 200 && (await freshet.gauges()).overload_cuts_total === 0; i++) {
    for (let k = 0; k < 2 && slow.length < 200; k++) upload();
    for (let r; !r; ) r = await ask('/page').catch(() => undefined);
  }
  await cases.check('slow uploads are cut off, with their connections', async () => {
    await freshet.until('overload_cuts_total', '>', 2);
    await soon(() => slow.some((c) => c.ended));
  });
  await cases.check('others are served', async () => {
    for (let i = 0, again = 0; i < 10; i++) {
      const c = new Frames('front');
      const r = await c.get('/page').catch(() => ({}));
      c.close();
      if (r.status !== 200) check(++again < 5 && i-- >= 0, 'again and again');
      else equal(r.body, '/page');
    }
  });
  for (const c of slow) c.close();
  open.open();
  await freshet.until('requests_open', '==', 0, 'connections', '==', 0, 'overload_step', '==', 0);
});
