// Memory beside the cache has a ceiling (overhead), and freshet nears it in steps: slow uploads are cut off, the slowest first, and one
// that is not slow goes on; pages that are not stored get 503 with Retry-After while hits go on; accepting pauses when all who are there
// wait for something else than their client, and goes on. Afterwards all is as before, and what is held goes back.
// setting overhead; scenarios U2, S2; hostile h3-19
import { check, equal, reply, scenario, soon } from '../lib.mjs';

let open;
const gate = new Promise((r) => (open = r));
const answer = async (r) => {
  if (r.target.startsWith('/wait')) await gate;
  return reply(r.target, { 'Cache-Control': r.target === '/page' ? 'max-age=6000' : 'no-store' });
};
const flags = ['--overhead', '16M', '--disk', '0', '--workers', '1', '--origin-connections', '5', '--origin-queue', '3000', '--queue-timeout', '10m', '--access-log', 'access'];
await scenario({ answer, flags }, async ({ connect, ask, cases, freshet }) => {
  await ask('/page');
  await freshet.until('overhead_bytes', '>', 0);
  const before = (await freshet.gauges()).overhead_bytes;
  // One that says nothing for 200 ms, as a client on a busy machine may, is cut off while memory is nearly gone: it comes again.
  let came_again = 0;
  const served = async (n) => {
    for (let i = 0; i < n; i++) {
      let r;
      while (!r) r = await ask('/page').catch((e) => (check(++came_again <= 5, `again and again: ${e.message}`), undefined));
      equal(r.body, '/page');
    }
  };
  // What comes between two looks, a tenth of a second apart, may be above it for that long.
  const ceiling = (16 << 20) + (2 << 20);
  const upload = (target, bytes) => {
    const c = connect();
    c.socket.pause();
    c.socket.write(`POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 9000000\r\n\r\n${'x'.repeat(bytes)}`);
    return c;
  };

  // ---- cutting ----
  const good = upload('/good', 1);
  await freshet.until('requests', '==', 1);
  const timer = setInterval(() => good.ended || good.socket.write('x'.repeat(2000)), 20);
  const slow = [];
  const drip = setInterval(() => slow.forEach((c) => c.ended || c.socket.destroyed || c.socket.write('x')), 200);
  for (let i = 0; i < 200 && (await freshet.gauges()).overload_cuts_total === 0; i++) {
    for (let k = 0; k < 10 && slow.length < 1000; k++) slow.push(upload(`/slow/${slow.length}`, 60_000));
    await served(1);
  }
  await cases.check('slow uploads are cut off', () => freshet.until('overload_cuts_total', '>', 10));
  await cases.check('others are served', () => served(20));
  await cases.check('until there is room again', () => freshet.until('overload_step', '<=', 1));
  await cases.check('one that is not slow goes on', () => check(!good.ended && !good.socket.destroyed));
  await cases.check('the ceiling holds', async () => {
    const { overhead_high_bytes } = await freshet.gauges();
    check(overhead_high_bytes <= ceiling, `${overhead_high_bytes} bytes`);
  });
  clearInterval(timer);
  clearInterval(drip);
  for (const c of [good, ...slow]) c.close();
  await freshet.until('connections', '==', 0, 'requests_open', '==', 0, 'overload_step', '==', 0);
  await cases.check('the access log says of whom', () => freshet.meanwhile('1s', () => /"reason":"overload"/.test(freshet.note('access') ?? '')));
  await cases.check('the log says what was done', () => check(/overload: \d+ of 16777216 bytes are in use beside the cache/.test(freshet.log()), freshet.log()));

  // ---- refusing ----
  const waiting = [];
  const wait = async (target) => {
    const c = connect();
    waiting.push(c);
    await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
  };
  // All count that came: those that get 503 are over at once.
  const asked = (await freshet.gauges()).requests_total;
  const until = async (step, target) => {
    for (let i = waiting.length; i < 2000 && (await freshet.gauges()).overload_step < step; i = waiting.length) {
      await wait(target(i));
      await soon(async () => {
        const g = await freshet.gauges();
        return g.requests_total >= asked + i - 20 || g.overload_step >= step;
      });
    }
  };
  await until(1, () => '/wait/0'); // one fetch for all of them
  await cases.check('an upload passes through a small ring', async () =>
    equal((await ask('/upload', {}, { method: 'POST', body: 'x'.repeat(300_000) })).body, '/upload'));
  await until(3, (i) => `/wait/${i}`);
  await freshet.until('overload_step', '>=', 3);
  await cases.check('what is not stored gets 503', async () => {
    const r = await ask('/other');
    equal(r.status, 503);
    equal(r.fields['retry-after'], '5');
    check(/short of memory/.test(r.body), r.body);
    check((await freshet.gauges()).overload_refused_total >= 1);
  });
  await cases.check('hits go on', () => served(10));
  await cases.check('nobody who waits for the origin is cut off', async () => {
    check(waiting.every((c) => !c.ended || /503/.test(c.text)), waiting.find((c) => c.ended)?.text);
  });

  // ---- pausing ----
  const pauses = (await freshet.gauges()).overload_pauses_total;
  const crowd = []; // they join a fetch that runs: no new one is needed for them
  for (let i = 0; i < 2000 && (await freshet.gauges()).overload_pauses_total === pauses; i += 10)
    for (let k = 0; k < 10; k++) {
      const c = connect();
      crowd.push(c);
      c.socket.write('GET /wait/0 HTTP/1.1\r\nHost: test\r\n\r\n');
    }
  await cases.check('accepting pauses', () => freshet.until('overload_pauses_total', '>', pauses));
  open();
  await cases.check('and goes on: all are answered who were accepted before', async () => {
    for (const c of waiting) {
      await c.answers(1, [], 30_000);
      c.close();
    }
    for (const c of crowd) c.close();
    await served(5);
  });
  await freshet.until('connections', '==', 0, 'requests_open', '==', 0, 'overload_step', '==', 0);
  await cases.check('the ceiling held', async () => {
    const { overhead_high_bytes } = await freshet.gauges();
    check(overhead_high_bytes <= ceiling, `${overhead_high_bytes} bytes`);
  });
  await freshet.meanwhile('20s', async () => (await freshet.gauges()).overhead_bytes < before + (9 << 20)); // spare chunks stay
});
