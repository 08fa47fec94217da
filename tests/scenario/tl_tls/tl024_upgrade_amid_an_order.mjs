// An upgrade amid an order: the new process goes on with it, shows the CA what the old one showed, and the CA sees one order; whether it is to look for a proof
// by http-01, by a handshake or in DNS. A reload does no harm either. The CA here has no hurry, since an upgrade may take longer on a busy machine than a
// real one waits for an answer; tl021 has a real one.
import fs from 'node:fs';
import path from 'node:path';
import { Raw, check, equal, request, scenario, soon } from '../lib.mjs';
import { ProvingCa, server_certificate } from '../acme.mjs';
import { Secure, address, hands } from '../tls.mjs';

const pem = server_certificate();
const ca = await new ProvingCa().start();
fs.writeFileSync('hook', `#!/bin/sh\nprintf '%s %s %s\\n' "$@" >> "${path.resolve('hooked')}"\n`, { mode: 0o755 });
const hooked = () => (fs.existsSync('hooked') ? fs.readFileSync('hooked', 'utf8').trim().split('\n').map((l) => l.split(' ')) : []);
const yaml = (origin, hosts = 'a.example', way = 'http-01') => `https: ["${address}"]\nacme_directory: "${ca.url}/dir"\nacme_ca: "${pem}"\nacme_dns_hook: "${path.resolve('hook')}"
drain_timeout: 1h\nsites:\n  shop:\n    hosts: [${hosts}]\n    acme_challenge: ${way}\n    origin: ${origin}\n`;

// What a CA does that looks for the proof of an order.
async function by_http({ name, token, authorization }) {
  const c = new Raw({ path: 'front' });
  c.send(request(`/.well-known/acme-challenge/${token}`, { Host: name }));
  equal((await c.answers())[0].body, authorization);
  c.close();
}
async function by_handshake({ name, digest }) {
  const c = new Secure({ host: name, ALPNProtocols: ['acme-tls/1'] });
  check(await c.shaken, `a handshake: ${c.error}`);
  equal(c.socket.alpnProtocol, 'acme-tls/1');
  check(c.socket.getPeerCertificate().raw.includes(digest), 'the certificate has the digest (RFC 8737 §3)');
  c.close();
}
function by_dns({ name, digest }) {
  equal(hooked().map((l) => l.join(' ')).join('; '), `present _acme-challenge.${name} ${digest.toString('base64url')}`);
}
await scenario({ yaml }, async ({ cases, freshet, origin }) => {
  const become = (hosts, way) => {
    freshet.note('config.yaml', yaml(origin.url, hosts, way));
    freshet.signal('HUP');
  };
  const amid = (id, what, look, begin = () => {}) => cases.check(what, async () => {
    begin();
    await soon(() => ca.count('challenge') === id * 2 + 1);
    await look(ca.proof(id));
    await freshet.upgrade();
    await look(ca.proof(id)); // by one of the two
    await freshet.drained();
    await look(ca.proof(id));
    await soon(() => ca.count('challenge') === id * 2 + 2);
    ca.believe(id);
    const { name } = ca.proof(id);
    await freshet.saying(`there is a certificate for ${name}`);
    await soon(async () => !(await hands({ host: name })).error);
    equal(ca.count('newOrder'), id + 1, 'orders');
    check(!/acme: (no certificate for|cannot)/.test(freshet.log()), 'no failure');
  });
  await amid(0, 'by http-01', by_http);
  await amid(1, 'by a handshake (tls-alpn-01)', by_handshake, () => become('b.example', 'tls-alpn-01'));
  await amid(2, 'in DNS (dns-01): the record is put and taken out once', by_dns, () => become('c.example', 'dns-01'));
  equal(hooked().map(([a]) => a).join(), 'present,cleanup');
  await cases.check('a reload amid an order', async () => {
    become('d.example');
    await soon(() => ca.count('challenge') === 7);
    await by_http(ca.proof(3));
    const reloads = (freshet.log().match(/main: reloaded/g) ?? []).length;
    become('d.example');
    await freshet.saying('main: reloaded', reloads + 1);
    await by_http(ca.proof(3));
    ca.believe(3);
    await freshet.saying('there is a certificate for d.example');
    equal(ca.count('newOrder'), 4, 'orders');
    check(!/acme: (no certificate for|cannot)/.test(freshet.log()), 'no failure');
  });
});
