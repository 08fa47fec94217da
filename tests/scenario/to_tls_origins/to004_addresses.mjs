// A name with several addresses: one whose handshake fails is passed over for the next, within the same request. Once an address is reached no other one is
// tried while its handshake lasts, and one whose handshake took too long is tried last the next time.
// scenarios T10
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { check, equal, reply, scenario, soon } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

const ca = authority('ca');
authority('other');
process.env.FRESHET_TEST_HOSTS = path.resolve('hosts');
const first = '127.14.0.1', second = '127.14.0.2';
fs.writeFileSync('hosts', `shop.test ${first} ${second}\n`);
const good = signed('good', 'ca', ['DNS:shop.test']), bad = signed('bad', 'other', ['DNS:shop.test']);
const reached = { [first]: 0, [second]: 0 }, open = new Set();
let silent = false, port = 0;
const serve = (host, options) => new Promise((resolve, reject) => {
  const secure = tls.createServer(options, (s) => s.on('error', () => {}).on('data', () => s.end(reply(host, { 'Cache-Control': 'no-store', Connection: 'close' }))));
  secure.on('tlsClientError', () => {});
  const server = net.createServer((s) => {
    reached[host]++;
    open.add(s);
    s.on('error', () => {}).on('close', () => open.delete(s));
    if (host === first && silent) s.resume();
    else secure.emit('connection', s);
  });
  server.on('error', reject).listen(port, host, () => resolve({ server, secure, port: (port = server.address().port) }));
});
let one;
for (let tries = 0; !one; tries++) { // the port may be taken on one of them
  try {
    port = 0;
    one = await serve(first, bad);
    await serve(second, good);
  } catch (e) {
    if (tries === 9) throw e;
    one = undefined;
  }
}
const flags = ['--origin-ca', ca, '--connect-timeout', '2s'];
await scenario({ yaml: () => `origin: https://shop.test:${port}`, flags }, async ({ ask, cases, freshet }) => {
  await cases.check('a bad certificate: the next address', async () => {
    equal((await ask('/1')).body, second);
    equal(reached[first], 1);
    equal(reached[second], 1);
  });
  await cases.check('which is tried first for a while', async () => {
    equal((await ask('/2')).body, second);
    equal(reached[first], 1);
  });
  await cases.check('a handshake that stands: no other one beside it', async () => {
    await freshet.advance('2m');
    silent = true;
    const n = reached[second], late = ask('/3');
    await soon(() => reached[first] === 2);
    await freshet.advance('1s');
    await freshet.until('fetches', '==', 1);
    equal(reached[second], n);
    await freshet.advance('2s');
    const r = await late;
    equal(r.status, 504);
    check(/connect-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
    equal(reached[second], n);
  });
  await cases.check('the next request goes to the other address', async () => {
    equal((await ask('/4')).body, second);
    equal(reached[first], 2);
  });
  await cases.check('when all are bad, that is said', async () => {
    for (const s of open) s.destroy();
    fs.writeFileSync('hosts', `shop.test ${first}\n`);
    silent = false;
    await freshet.advance('2m');
    await ask('/5'); // its addresses are old: the new ones come behind it
    await freshet.meanwhile('1s', async () => (await ask('/6')).status === 502);
    await freshet.saying('is signed by "other", which freshet does not know');
  });
  for (const s of open) s.destroy();
});
