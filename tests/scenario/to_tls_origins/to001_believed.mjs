// An https:// origin is believed when its certificate is good: of an authority that freshet trusts, for the name that it is called by, in its time. Else no
// request is sent to it, its visitors get a 502, and the log, status and explain say what is wrong, for people.
// scenarios T5
import fs from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { Cases, Freshet, Origin, Raw, check, equal, reply, request, soon } from '../lib.mjs';
import { authority, certificate, signed } from '../tls.mjs';

const ca = authority('ca');
authority('other');
certificate('own', ['IP:127.0.0.1']);
certificate('nearly', ['127.0.0.1']);
process.env.FRESHET_TEST_HOSTS = path.resolve('hosts');
fs.writeFileSync('hosts', 'shop.test 127.0.0.1\n');

const read = (name) => ({ cert: fs.readFileSync(`${name}.pem`, 'utf8'), key: fs.readFileSync(`${name}.key`, 'utf8') });
const answer = (r) => reply(`${r.fields.host} ${r.fields['x-forwarded-proto']} ${r.target}`,
  { 'Cache-Control': r.target === '/stale' ? 's-maxage=60, stale-if-error=31536000' : 'max-age=600' });
const ip = ['IP:127.0.0.1'];
const names = [];
const origins = {};
const add = async (site, secure) => (origins[site] = await new Origin(answer, secure).listen());
const good = signed('good', 'ca', ['IP:127.0.0.1', 'DNS:shop.test']);
await add('good', good);
await add('name', { ...good, SNICallback: (name, done) => (names.push(name), done(null)) });
await add('called', { ...good, SNICallback: (name, done) => (names.push(name), done(null)) });
await add('wrong', signed('wrong', 'ca', ['DNS:a.test', 'DNS:b.test', 'DNS:c.test', 'DNS:d.test', 'IP:127.0.0.2']));
await add('nameless', signed('nameless', 'ca', []));
await add('self', read('own'));
await add('unknown', signed('stray', 'other', ip));
await add('chain', signed('chain', 'other', ip, { chain: true }));
await add('short', signed('short', 'ca', ip, { days: 10 }));
await add('believed', read('own'));
await add('pinned', read('own'));
await add('nearly', read('nearly'));
await add('tls12', { ...good, maxVersion: 'TLSv1.2' });
await add('tls10', { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' });
const seen = [];
await add('asks', { ...good, requestCert: true, ca: fs.readFileSync('other.pem'), SNICallback: undefined });
origins.asks.server.on('secureConnection', (s) => seen.push(s.getPeerCertificate().subject?.CN));
await add('asks-none', { ...good, requestCert: true, ca: fs.readFileSync('other.pem') });
signed('client', 'other', ['DNS:client.test']);
fs.writeFileSync('client.both.pem', fs.readFileSync('client.pem', 'utf8') + fs.readFileSync('client.key', 'utf8'));
const http = createServer();
const open = new Set();
const listen = (serve) => new Promise((done) => {
  const s = net.createServer((c) => (open.add(c), c.on('error', () => {}).on('close', () => open.delete(c)), serve(c)));
  s.listen(0, '127.0.0.1', () => done({ url: `https://127.0.0.1:${s.address().port}` }));
});
origins.clear = await listen((c) => http.emit('connection', c));
origins.closes = await listen((c) => c.once('data', () => c.end()));
origins.silent = await listen((c) => c.resume());

const more = {
  name: { origin: () => `https://shop.test:${origins.name.port}` },
  called: { origin_server_name: 'shop.test' },
  believed: { origin_ca: '', origin_insecure: true },
  pinned: { origin_ca: 'own.pem' },
  nearly: { origin_ca: 'nearly.pem' },
  asks: { origin_cert: 'client.pem', origin_key: path.resolve('client.key') },
  silent: { connect_timeout: '1s' },
};
let yaml = `origin_ca: ${ca}\nsites:\n`;
for (const [name, o] of Object.entries(origins)) {
  const settings = { origin: o.url, hosts: `${name}.site`, ...more[name] };
  if (typeof settings.origin === 'function') settings.origin = settings.origin();
  yaml += `  ${name}:\n` + Object.entries(settings).map(([k, v]) => `    ${k}: ${v === '' ? '""' : v}\n`).join('');
}

// The same server, believed by who answers and by an authority: it keeps a connection of the first, which the second must not use.
yaml += `  strict:\n    origin: ${origins.believed.url}\n    hosts: strict.site\n`;

const cases = new Cases();
const freshet = new Freshet('.');
const ask = async (site, target = '/') => {
  const c = new Raw('front');
  await c.send(request(target, { Host: `${site}.site` }));
  const [r] = await c.answers(1);
  c.close();
  return r;
};
const refused = (site, pattern) => cases.check(`${site} is refused: ${pattern}`, async () => {
  const r = await ask(site);
  equal(r.status, 502);
  check(/detail=origin-tls/.test(r.fields['cache-status']), r.fields['cache-status']);
  await freshet.saying(`origin: https://\\S* ?.*no trusted TLS connection to the origin could be made: ${pattern}.*site ${site},`);
  equal(origins[site].requests?.length ?? 0, 0, 'requests there');
});
const believed = (site, host = `${site}.site`) => cases.check(`${site} is believed`, async () => {
  const r = await ask(site);
  equal(r.status, 200, freshet.log().split('\n').slice(-3).join());
  equal(r.body, `${host} http /`);
  check(/fwd=/.test(r.fields['cache-status']), 'the first comes from there');
  check(/; hit/.test((await ask(site)).fields['cache-status']), 'the second is a hit');
});
try {
  await freshet.start(['--yaml', yaml]);
  await believed('good');
  await believed('name');
  await cases.check('a name is asked for', () => equal(names.join(), 'shop.test'));
  await believed('called');
  await cases.check('also that of origin_server_name', () => equal(names.join(), 'shop.test,shop.test'));
  await refused('wrong', 'its certificate is for a.test, b.test, c.test and 2 more, not for 127.0.0.1 ');
  await refused('nameless', 'its certificate names no host \\(subjectAltName\\), so it is not for 127.0.0.1 ');
  await refused('self', 'its certificate is signed by itself, by no authority ');
  await refused('unknown', 'its certificate is signed by "other", which freshet does not know, and the origin does not send its certificate ');
  await refused('chain', 'a certificate above its own, of the authority "other", is of none that freshet trusts ');
  await believed('believed');
  await cases.check('but not by a site that does not say so, though a connection is there', async () => {
    await freshet.until('origin_connections', '>=', 1);
    const seen = origins.believed.requests.length;
    for (let i = 0; i < 2; i++) {
      const r = await ask('strict', '/strict');
      equal(r.status, 502);
      check(/detail=origin-tls/.test(r.fields['cache-status']), r.fields['cache-status']);
    }
    equal(origins.believed.requests.length, seen, 'requests there');
  });
  await cases.check('and everybody is warned', async () => {
    check(/freshet: warning: site believed: origin_insecure: whoever answers for an https:\/\/ origin is believed; name its authority with origin_ca/.test(freshet.log()),
      freshet.log());
    freshet.signal('HUP');
    await freshet.saying('warning tls: site believed: origin_insecure: whoever answers');
    await freshet.saying('main: reloaded');
  });
  await believed('pinned');
  await refused('nearly', 'its certificate is for 127.0.0.1 \\(as the name of a host, not as an address\\), not for 127.0.0.1 ');
  await believed('tls12');
  await refused('tls10', 'the handshake failed: tlsv1 alert protocol version ');
  await refused('clear', 'no TLS is spoken there, but HTTP in clear ');
  await refused('closes', 'it closed the connection during the handshake ');
  await believed('asks');
  await cases.check('which has seen the certificate', () => equal(seen.join(), 'client'));
  await refused('asks-none', 'the handshake failed: \\S*.*certificate required ');
  await cases.check('a handshake that takes too long', async () => {
    const late = ask('silent');
    await freshet.until('fetches', '==', 1);
    await soon(() => open.size === 1);
    await freshet.advance('2s');
    const r = await late;
    equal(r.status, 504);
    check(/connect-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
    await freshet.saying('did not accept a connection in time: it was reached, but the TLS handshake took too long');
  });
  await cases.check('status says what is wrong', async () => {
    const all = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).origins;
    const of = (site) => all.filter((o) => o.address.startsWith(origins[site].url));
    equal(of('self')[0].last_reason, 'origin-tls');
    equal(of('self')[0].last_error, 'its certificate is signed by itself, by no authority');
    check(of('self')[0].last_reason_text === 'no trusted TLS connection to the origin could be made', of('self')[0].last_reason_text);
    equal(of('called')[0].address, `${origins.called.url} as shop.test ca ${ca}`);
    equal(of('believed')[0].address, `${origins.believed.url} insecure`);
    const verb = freshet.run('status');
    check(verb.stdout.includes('its certificate is signed by itself'), verb.stdout);
    check((await freshet.api('GET', '/metrics')).text.includes(`freshet_origin_failed_total{origin="${origins.self.url} ca ${ca}"} 1`), 'the metrics');
  });
  await cases.check('explain says it', async () => {
    const said = freshet.run('explain', 'http://self.site/');
    check(said.stdout.includes('its certificate is signed by itself, by no authority'), said.stdout + said.stderr);
  });
  await cases.check('an expired certificate', async () => {
    equal((await ask('short', '/stale')).status, 200);
    await freshet.wall('20d');
    await freshet.advance('1h'); // no connection from before is left
    equal((await ask('short', '/after')).status, 502);
    await freshet.saying('its certificate expired on \\d{4}-\\d\\d-\\d\\d ');
  });
  await cases.check('what may be served stale is', async () => {
    const r = await ask('short', '/stale');
    equal(r.status, 200);
    check(/stale-error/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  await cases.check('what holds after every scenario', async () => {
    for (const c of open) c.destroy();
    await freshet.stop();
  });
} catch (e) {
  cases.failed++;
  console.log(`FAILED ${e.stack}`);
}
cases.end();
