// An upgrade amid an order: the new process goes on with it, shows the CA what the old one showed, and the CA sees one order; whether it is looking for a proof
// just then, by http-01, by a handshake or in DNS, or makes the certificate. A reload does no harm either.
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, gate, scenario, soon } from '../lib.mjs';
import { Pebble, door, names, server_certificate } from '../acme.mjs';
import { address, hands } from '../tls.mjs';

const ca = server_certificate();
const [front, secure] = [await door('front'), await door('https')];
const dns = await names();
const pebble = await Pebble.start({ http: front.port, tls: secure.port, dns: dns.port, env: { PEBBLE_AUTHZREUSE: '0' } });
fs.writeFileSync('hook', `#!/bin/sh\nprintf '%s %s %s\\n' "$@" >> "${path.resolve('hooked')}"\n`, { mode: 0o755 });
const hooked = () => (fs.existsSync('hooked') ? fs.readFileSync('hooked', 'utf8').trim().split('\n').map((l) => l.split(' ')) : []);
dns.texts.get = (name) => {
  const now = new Set();
  for (const [action, n, value] of hooked()) if (n === name) now[action === 'present' ? 'add' : 'delete'](value);
  return [...now];
};
const yaml = (origin, hosts = 'a.example', way = 'http-01') => `https: ["${address}"]\nacme_directory: "${pebble.directory}"\nacme_ca: "${ca}"\nacme_dns_hook: "${path.resolve('hook')}"
drain_timeout: 1h\nsites:\n  shop:\n    hosts: [${hosts}]\n    acme_challenge: ${way}\n    origin: ${origin}\n`;
const held = gate();
front.held = held.opened;
await scenario({ yaml }, async ({ cases, freshet, origin }) => {
  const become = (hosts, way) => {
    freshet.note('config.yaml', yaml(origin.url, hosts, way));
    freshet.signal('HUP');
  };
  const served = (host) => soon(async () => !(await hands({ host })).error);
  await cases.check('while the CA is at the door (http-01)', async () => {
    await soon(() => front.visitors > 0);
    await freshet.upgrade();
    held.open();
    await freshet.saying('there is a certificate for a.example');
    await freshet.drained();
    await served('a.example');
    equal(pebble.orders, 1, 'orders');
    check(!/acme: (no certificate for|cannot)/.test(freshet.log()), 'no failure');
  });
  await cases.check('while it shakes hands (tls-alpn-01)', async () => {
    const later = gate(), before = secure.visitors;
    secure.held = later.opened;
    become('b.example', 'tls-alpn-01');
    await soon(() => secure.visitors > before);
    await freshet.upgrade();
    later.open();
    await freshet.saying('there is a certificate for b.example');
    await freshet.drained();
    await served('b.example');
    equal(pebble.orders, 2, 'orders');
  });
  await cases.check('while it looks into DNS (dns-01): the record is put and taken out once', async () => {
    const answers = gate();
    let asked = false;
    const get = dns.texts.get;
    dns.hold = (name) => (name.startsWith('_acme-challenge') ? ((asked = true), answers.opened) : undefined);
    become('c.example', 'dns-01');
    await soon(() => asked);
    await freshet.upgrade();
    dns.texts.get = get;
    answers.open();
    await freshet.saying('there is a certificate for c.example');
    await freshet.drained();
    await served('c.example');
    equal(hooked().map(([a]) => a).join(), 'present,cleanup');
    equal(pebble.orders, 3, 'orders');
  });
  await cases.check('a reload amid an order', async () => {
    const later = gate(), before = front.visitors;
    front.held = later.opened;
    become('d.example');
    await soon(() => front.visitors > before);
    const reloads = (freshet.log().match(/main: reloaded/g) ?? []).length;
    become('d.example');
    await freshet.saying('main: reloaded', reloads + 1);
    later.open();
    await freshet.saying('there is a certificate for d.example');
    equal(pebble.orders, 4, 'orders');
    check(!/acme: (no certificate for|cannot)/.test(freshet.log()), 'no failure');
  });
});
await pebble.stop();
