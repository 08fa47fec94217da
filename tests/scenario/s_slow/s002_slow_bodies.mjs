// A request's body that comes more slowly than body_rate_min, on the average, is cut after about one pause; one that is faster is not,
// nor one that pauses for nearly body_timeout after it was; with 0 any drip may go on. No body of these is ever whole at the origin.
// setting body_rate_min; scenarios S2; hostile h3-19
import { check, equal, reply, scenario } from '../lib.mjs';

const post = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n';
const drip = async (freshet, c, bytes, seconds) => {
  for (let i = 0; i < seconds && !c.ended; i++) {
    const before = (await freshet.gauges()).request_body_bytes_total;
    await c.send('x'.repeat(bytes));
    await freshet.until('request_body_bytes_total', '>=', before + bytes);
    await freshet.advance('1s');
  }
};
await scenario({ answer: () => reply('x'), yaml: (origin) => `origin: ${origin}\nbody_rate_min: 100\nbody_timeout: 30s\n`, flags: ['--access-log', 'access'] },
  async ({ connect, cases, freshet }) => {
    const quick = connect();
    await quick.send(post);
    await freshet.until('requests', '==', 1);
    await drip(freshet, quick, 150, 70);
    await cases.check('150 bytes a second go on', () => check(!quick.ended, quick.text));
    await drip(freshet, quick, 20_000, 1);
    await freshet.advance('28s');
    await cases.check('and may pause', async () => {
      await quick.send('x');
      equal((await freshet.gauges()).slow_bodies_total, 0, 'none was cut');
      check(!quick.ended, quick.text);
    });
    const slow = connect();
    await slow.send(post);
    await freshet.until('requests', '==', 2);
    const began = Date.now();
    for (let i = 0; i < 60 && (await freshet.gauges()).slow_bodies_total === 0; i++) {
      await slow.send('x').catch(() => {});
      await quick.send('x'.repeat(1000));
      await freshet.advance('1s');
    }
    await cases.check('a byte a second does not', async () => {
      await slow.closed();
      equal((await freshet.gauges()).slow_bodies_total, 1, `one was cut, after ${Date.now() - began} ms`);
      check(!quick.ended, 'and the other goes on');
    });
    quick.close();
    await freshet.until('connections', '==', 0);
    await cases.check('the log says why', () => freshet.meanwhile('1s', () => /"reason":"slow-body"/.test(freshet.note('access') ?? '')));

    freshet.note('config.yaml', freshet.note('config.yaml').replace('body_rate_min: 100', 'body_rate_min: 0'));
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    const free = connect();
    await free.send(post);
    await freshet.until('requests', '==', 1);
    await drip(freshet, free, 1, 70);
    await cases.check('no rate is asked for', () => check(!free.ended, free.text));
    free.close();
  });
