// Idle clients are dropped at the idle timeout, counted anew from each request; a head or a body that drips is cut by its limit.
// scenarios N10, S1, S2; hostile h3-19 (Slowloris)
import { check, equal, reply, scenario } from '../lib.mjs';

await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=600' }), flags: ['--idle-timeout', '60s', '--header-timeout', '10s', '--body-timeout', '30s'] },
  async ({ connect, cases, freshet }) => {
    const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
    const idle = connect();
    for (let i = 0; i < 3; i++) {
      await idle.send(get);
      await idle.answers(i + 1);
      await freshet.advance('50s');
    }
    await cases.check('each request counts anew', () => equal(idle.ended, false));
    await freshet.advance('15s');
    await cases.check('then the idle one is dropped', () => idle.closed());

    const silent = connect();
    await freshet.until('connections', '==', 1);
    await freshet.advance('11s');
    await cases.check('one that says nothing is dropped', () => silent.closed());

    const slow = connect();
    await slow.send('GET / HTT');
    await freshet.until('connections', '==', 1);
    for (const byte of 'P/1.1\r\n') {
      await freshet.advance('1s');
      await slow.send(byte);
    }
    await freshet.advance('5s');
    await cases.check('a head that drips is cut', async () => {
      await slow.closed();
      check(slow.text === '' || slow.responses()[0].status === 408, slow.text);
    });

    const drip = connect();
    await drip.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nabc');
    await freshet.until('requests', '==', 1);
    await freshet.advance('31s');
    await cases.check('a body that pauses is cut', async () => {
      await drip.closed();
      check(!drip.responses().some((r) => r.status === 200), drip.text);
    });
  });
