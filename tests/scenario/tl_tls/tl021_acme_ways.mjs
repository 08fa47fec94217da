// A CA is shown that a name is ours in three ways: by http-01, by a handshake (tls-alpn-01) and by DNS (dns-01, with a program of the operator's). What it
// does not believe, and a CA that is not there, are said with what helps, and tried again later, not sooner; also after a restart.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { check, equal, scenario, soon } from '../lib.mjs';
import { Pebble, door, names, server_certificate } from '../acme.mjs';
import { address, hands } from '../tls.mjs';

const ca = server_certificate();
const [front, secure] = [await door('front'), await door('https')];
const dns = await names();
const eab = { kid: 'kid-1', key: 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' };
const pebble = await Pebble.start({ http: front.port, tls: secure.port, dns: dns.port, env: { PEBBLE_AUTHZREUSE: '0' },
  config: { externalAccountBindingRequired: true, externalAccountMACKeys: { [eab.kid]: eab.key } } });
// What the operator's program does: it hands on its words.
fs.writeFileSync('hook', `#!/bin/sh\nprintf '%s %s %s\\n' "$@" >> "${path.resolve('hooked')}"\nexec >/dev/null\n[ ! -e "${path.resolve('hook-fails')}" ]\n`, { mode: 0o755 });
const hooked = () => (fs.existsSync('hooked') ? fs.readFileSync('hooked', 'utf8').trim().split('\n').map((l) => l.split(' ')) : []);
// The name server follows what the program was told.
const texts = { get: (name) => {
  const now = new Set();
  for (const [action, n, value] of hooked()) if (n === name) now[action === 'present' ? 'add' : 'delete'](value);
  return [...now];
} };
dns.texts.get = texts.get;
const yaml = (origin, { hosts = 'a.example', way = 'http-01', more = '' } = {}) => `https: ["${address}"]\nacme_directory: "${pebble.directory}"
acme_ca: "${ca}"\nacme_dns_hook: "${path.resolve('hook')}"\n${more}sites:\n  shop:\n    hosts: [${hosts}]\n    acme_challenge: ${way}\n    origin: ${origin}\n`;
const account = `acme_eab_kid: ${eab.kid}\nacme_eab_key: ${eab.key}\n`;
await scenario({ yaml }, async ({ cases, freshet, origin, ask }) => {
  const become = async (how) => {
    freshet.note('config.yaml', yaml(origin.url, how));
    freshet.signal('HUP');
  };
  // When the next try is due. Turned while one runs, the clock would say that it takes too long.
  const later = async (pattern) => {
    await freshet.advance('2m');
    await freshet.saying(pattern);
  };
  // What the log says is in use a moment later.
  const served = (host) => soon(async () => !(await hands({ host })).error);
  await cases.check('a CA that wants to know whose account it is', async () => {
    await freshet.saying('acme: no certificate for a.example: this CA wants to know whose account it is: set acme_eab_kid and acme_eab_key to what it gave ' +
      'you. The next try is in \\d minute');
    equal(pebble.orders, 0, 'orders');
  });
  await cases.check('a restart does not try sooner', async () => {
    await freshet.restart(['--yaml', yaml(origin.url)]);
    freshet.note('config.yaml', yaml(origin.url, { more: account }));
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    equal(pebble.orders, 0, 'orders');
  });
  await cases.check('with its account (EAB) it gives one', async () => {
    await later('there is a certificate for a.example');
  });
  await cases.check('tls-alpn-01', async () => {
    await become({ hosts: 'b.example, c.example', way: 'tls-alpn-01', more: account });
    await freshet.saying('there is a certificate for b.example, c.example');
    check(secure.visitors > 0, 'it came by the door of https');
    equal((await freshet.gauges()).tls_handshakes_failed_total, 0, 'failed handshakes');
    await served('c.example');
  });
  await cases.check('nobody else gets a certificate of a challenge', async () => {
    check((await hands({ host: 'b.example', ALPNProtocols: ['acme-tls/1'] })).error, 'no handshake');
  });
  await cases.check('dns-01, for a name with a *', async () => {
    await become({ hosts: '"*.d.example", d.example', way: 'dns-01', more: account });
    await freshet.saying('there is a certificate for \\*.d.example, d.example');
    await served('any.d.example');
    equal(hooked().length, 4, 'calls');
    equal(texts.get('_acme-challenge.d.example').length, 0, 'records that stay');
  });
  await cases.check('a program that fails', async () => {
    fs.writeFileSync('hook-fails', '');
    await become({ hosts: 'e.example', way: 'dns-01', more: account });
    await freshet.saying('no certificate for e.example: the program \\S*hook \\(acme_dns_hook\\) ended with 1; what it has said is in the log. The next try');
  });
  await cases.check('a name that does not lead here', async () => {
    front.open = false;
    await become({ hosts: 'f.example', more: account });
    await freshet.saying('no certificate for f.example: the CA says: .*; let the name.s DNS \\(A and AAAA\\) lead to this machine and its port 80 to ' +
      'an address of listen. The next try is in \\d minute');
    front.open = true;
    await later('there is a certificate for f.example');
  });
  await cases.check('a challenge that nobody has asked for is the site\'s own', async () => {
    equal((await ask('/.well-known/acme-challenge/abc', { Host: 'f.example' })).body, 'x');
    equal((await ask('/.well-known/acme-challenge/abc', { Host: 'elsewhere.example' })).status, 421);
  });
  await cases.check('a name that leads to somebody else, who answers', async () => {
    const stranger = http.createServer((_, r) => r.end('a page of theirs')).listen('stranger');
    front.to = 'stranger';
    await become({ hosts: 'h.example', more: account });
    await freshet.saying('no certificate for h.example: the CA says: .*\\(unauthorized\\); let the name.s DNS \\(A and AAAA\\) lead to this machine');
    front.to = 'front';
    stranger.close();
    await later('there is a certificate for h.example');
  });
  await cases.check('a program that puts something else into DNS', async () => {
    fs.rmSync('hook-fails');
    const calls = hooked().length;
    dns.texts.get = () => ['something else'];
    await become({ hosts: 'i.example', way: 'dns-01', more: account });
    await freshet.saying('no certificate for i.example: the CA says: .*\\(unauthorized\\); .*acme_dns_hook');
    await soon(() => texts.get('_acme-challenge.i.example').length === 0 && hooked().length > calls);
    dns.texts.get = texts.get;
    await later('there is a certificate for i.example');
  });
  await cases.check('a CA that is down, and comes back without a memory', async () => {
    await pebble.stop();
    await become({ hosts: 'g.example, f.example', more: account });
    await freshet.saying('no certificate for f.example, g.example: cannot ask 127.0.0.1:\\d+: .*\\. The next try is in \\d minute');
    await served('f.example');
    await pebble.again();
    await later('there is a certificate for f.example, g.example');
    await served('g.example');
  });
  await pebble.stop();
});
