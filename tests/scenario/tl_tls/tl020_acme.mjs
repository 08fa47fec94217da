// A certificate comes by itself, from a CA that asks by http-01: issued, served to those who are connected or come, renewed in time, and never asked for
// twice, whatever is started again.
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { check, equal, request, scenario, soon } from '../lib.mjs';
import { Pebble, door, names, server_certificate } from '../acme.mjs';
import { Secure, address, hands } from '../tls.mjs';

const ca = server_certificate();
const front = await door('front');
const dns = await names();
const pebble = await Pebble.start({ http: front.port, dns: dns.port });
const yaml = (hosts) => (origin) => `https: ["${address}"]\nacme_directory: "${pebble.directory}"\nacme_ca: "${ca}"\nacme_email: me@shop.example\nidle_timeout: 1d
sites:\n  shop:\n    hosts: [${hosts}]\n    origin: ${origin}\n`;
const serial = async (host) => {
  const c = new Secure({ host });
  check(await c.shaken, `a handshake: ${c.error}`);
  const found = c.socket.getPeerCertificate();
  c.close();
  return found.serialNumber;
};
await scenario({ yaml: yaml('shop.example, www.shop.example') }, async ({ cases, freshet, origin }) => {
  await cases.check('it is issued for all names, by one order', async () => {
    await freshet.saying('acme: there is a certificate for shop.example, www.shop.example, good until \\d{4}-\\d\\d-\\d\\d; it will be renewed about');
    equal(origin.requests.length, 0, 'requests at the origin');
    equal(pebble.orders, 1, 'orders');
  });
  await cases.check('it is served, with its chain', async () => {
    const root = await pebble.root();
    await soon(async () => !(await hands({ host: 'shop.example' })).error);
    for (const servername of ['shop.example', 'www.shop.example']) {
      const s = tls.connect({ path: 'https', servername, ca: root });
      await new Promise((resolve, reject) => s.once('secureConnect', resolve).once('error', reject));
      check(s.authorized, `${servername}: ${s.authorizationError}`);
      s.destroy();
    }
  });
  await cases.check('what is kept is for its owner alone', async () => {
    const kept = () => fs.readdirSync('state/acme');
    await soon(() => kept().length === 3); // a fourth is one that is being written
    const files = kept();
    equal(fs.statSync('state/acme').mode & 0o777, 0o700);
    for (const f of files) equal(fs.statSync(path.join('state/acme', f)).mode & 0o777, 0o600, f);
  });
  const first = await serial('shop.example');
  await cases.check('a restart asks for nothing', async () => {
    await freshet.restart(['--yaml', yaml('shop.example, www.shop.example')(origin.url)]);
    equal(await serial('shop.example'), first, 'the certificate');
    equal((await hands({ host: 'www.shop.example' })).error, undefined);
    equal(pebble.orders, 1, 'orders');
  });
  await cases.check('it is renewed at two thirds of its life, and connections stay', async () => {
    const kept = new Secure({ host: 'shop.example' });
    await kept.send(request('/', { Host: 'shop.example' }));
    await kept.answers(1);
    await freshet.turn(`wall ${86_400_000 * 365 * 4}`);
    await freshet.advance('2h');
    await soon(async () => (await serial('shop.example')) !== first);
    await kept.send(request('/', { Host: 'shop.example' }));
    await kept.answers(2);
    kept.close();
    await freshet.saying('acme: there is a certificate for', 2);
    equal(pebble.orders, 2, 'orders');
  });
});
