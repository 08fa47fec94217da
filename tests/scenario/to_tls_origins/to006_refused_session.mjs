// An origin that breaks off when it is asked to go on with a session of TLS 1.2, as one of several machines may that share a name and not their keys, is
// asked for a whole handshake next: a session is not tried again and again.
import net from 'node:net';
import path from 'node:path';
import { equal, reply, scenario } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

authority('ca');
const secure = { ...signed('good', 'ca', ['IP:127.0.0.1']), maxVersion: 'TLSv1.2', sessionTimeout: 86400 };

// Does a ClientHello (RFC 5246 §7.4.1.2) show a ticket (RFC 5077 §3.2)?
function shows_ticket(hello) {
  let at = 5 + 4 + 2 + 32;
  at += 1 + hello[at];
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello[at] + 2;
  for (; at + 4 <= hello.length; at += 4 + hello.readUInt16BE(at + 2))
    if (hello.readUInt16BE(at) === 35) return hello.readUInt16BE(at + 2) > 0;
  return false;
}

let target, refuses = false;
const seen = [];
const between = net.createServer((c) => c.on('error', () => {}).once('data', (d) => {
  seen.push(shows_ticket(d));
  if (refuses && shows_ticket(d)) return c.destroy();
  const s = net.connect(target, '127.0.0.1').on('error', () => {});
  s.write(d);
  c.pipe(s).pipe(c);
}));
await new Promise((done) => between.listen(0, '127.0.0.1', done));
const yaml = (origin) => {
  target = +new URL(origin).port;
  return `origin: https://127.0.0.1:${between.address().port}\norigin_ca: ${path.resolve('ca.pem')}\nworkers: 1\n`;
};
await scenario({ answer: (r) => reply(r.target, { 'Cache-Control': 'no-store' }), secure, yaml }, async ({ ask, cases, freshet }) => {
  const anew = async () => {
    await freshet.advance('10m'); // no connection is kept
    await freshet.until('origin_connections', '==', 0);
  };
  await cases.check('a session is gone on with', async () => {
    equal((await ask('/1')).status, 200);
    await anew();
    equal((await ask('/2')).status, 200);
    equal(seen.join(), 'false,true');
  });
  await cases.check('one that is refused fails once', async () => {
    refuses = true;
    await anew();
    equal((await ask('/3')).status, 502);
    equal((await ask('/4')).status, 200);
    equal(seen.join(), 'false,true,true,false');
  });
  between.close();
});
