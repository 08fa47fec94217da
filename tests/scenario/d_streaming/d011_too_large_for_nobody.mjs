// A body that turns out too large to be kept, and that nobody reads, is given up: its bytes are not collected.
// CACHING.md 2.12, 3.6
// also over tls, h2
import { check, equal, reply, scenario } from '../lib.mjs';

const stale = { 'Cache-Control': 's-maxage=10, stale-while-revalidate=600' };
const chunk = '8000\r\n' + 'x'.repeat(0x8000) + '\r\n';
let endless = false;
let sent = 0;
const answer = async (r, origin) => {
  if (!endless) return reply('small', stale);
  const s = [...origin.sockets].at(-1);
  s.write(`HTTP/1.1 200 OK\r\nCache-Control: ${stale['Cache-Control']}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  let resume = () => {};
  s.on('drain', () => resume());
  s.on('close', () => resume());
  for (; sent < 2000 && !s.destroyed; sent++) {
    if (!s.write(chunk)) await new Promise((go) => (resume = go));
  }
  return null;
};
const yaml = (origin) => `sites:\n  one:\n    origin: ${origin}\n    object_bytes: 256K\n`;
await scenario({ answer, yaml }, async ({ connect, ask, cases, freshet }) => {
  await ask('/');
  endless = true;
  await freshet.advance('15s');
  await cases.check('a refresh: the stale page', async () => equal((await ask('/')).body, 'small'));
  await cases.check('its fetch ends', () => freshet.settle());
  await cases.check('long before the body', () => check(sent < 500, `${sent} of 2000 pieces were read`));
  await cases.check('the page that it replaces is gone', async () => {
    endless = false;
    const r = await ask('/');
    check(!/hit/.test(r.fields['cache-status']), r.fields['cache-status']);
  });

  // The same when the only visitor has left before it was clear.
  endless = true;
  sent = 0;
  const c = connect();
  await c.send('GET /left HTTP/1.1\r\nHost: test\r\n\r\n');
  await c.when('a head', () => c.text.includes('\r\n\r\n'));
  c.close();
  await cases.check('without its visitor: its fetch ends', () => freshet.settle());
  await cases.check('too', () => check(sent < 1000, `${sent} of 2000 pieces were read`));
});
