// A client that closes before the head of an answer that is not stored ends the fetch, on TCP too, where closing looks like ending one's side; one that only ended its side gets its answer; what may be stored goes on; `end_unsafe: false` carries unsafe requests out.
// CACHING.md 7, decisions 013
import { check, equal, gate, Raw, reply, request, scenario, soon } from '../lib.mjs';

let go = gate();
const answer = async () => {
  await go.opened;
  return reply('late', { 'Cache-Control': 's-maxage=60' });
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n  kept:\n    hosts: kept\n    origin: ${url}\n    end_unsafe: false\n`;
await scenario({ answer, yaml, flags: ['--listen', '127.0.0.1:0', '--first-byte-timeout', '1h'] }, async ({ cases, freshet, origin, arrived }) => {
  let n = 0;
  // Asks, and closes when the origin has it.
  const leaves = async (text) => {
    const c = new Raw(freshet.tcp);
    await c.send(text);
    await arrived(++n);
    c.close();
  };
  // The connection is closed 30 seconds after freshet has seen its end.
  const given_up = () => freshet.meanwhile('1s', async () => (await freshet.gauges()).requests === 0);
  const post = (fields = {}) => request('/post', fields, { method: 'POST', body: 'a prompt' });
  await cases.check('a POST ends', async () => {
    await leaves(post());
    await soon(() => origin.sockets.size === 0, 8_000);
    await freshet.until('fetches', '==', 0, 'requests_open', '==', 0);
  });
  await cases.check('a GET that passes ends', async () => {
    await leaves(request('/socket', {}, { method: 'GET', body: 'x' }));
    await freshet.until('fetches', '==', 0, 'requests_open', '==', 0);
  });
  await cases.check('one that only ended its side has its answer', async () => {
    const c = new Raw(freshet.tcp);
    c.socket.end(Buffer.from(post()));
    await arrived(++n);
    await c.when('an interim response', () => c.text.includes(' 102 '), 8_000);
    go.open();
    equal((await c.answers()).at(-1).body, 'late');
  });
  await freshet.settle();
  go = gate();
  await cases.check('what may be stored goes on', async () => {
    await leaves(request('/page'));
    await given_up();
    equal((await freshet.gauges()).fetches, 1, 'fetches');
    go.open();
    await freshet.until('objects', '==', 1);
  });
  go = gate();
  await cases.check('end_unsafe: false', async () => {
    await leaves(post({ Host: 'kept' }));
    await given_up();
    equal((await freshet.gauges()).fetches, 1, 'fetches');
    check(origin.sockets.size > 0, 'the origin goes on');
    go.open();
    await freshet.until('fetches', '==', 0);
  });
});
