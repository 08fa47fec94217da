// What freshet knows of its certificates is said by the verb, by status, by explain and by metrics: whose, for whom, until when, when it is renewed, what is
// wrong. By hand one is renewed, or revoked and replaced: the new one first, but for a key that others have. What is no CA's is said with what there is.
import fs from 'node:fs';
import { check, equal, scenario, soon } from '../lib.mjs';
import { Pebble, door, names, server_certificate } from '../acme.mjs';
import { Secure, address, certificate } from '../tls.mjs';

const ca = server_certificate();
const front = await door('front');
const dns = await names();
const pebble = await Pebble.start({ http: front.port, dns: dns.port, env: { PEBBLE_AUTHZREUSE: '0' } });
const [, cert, , key] = certificate('own', ['own.example']);
const yaml = (origin) => `https: ["${address}"]\nacme_directory: "${pebble.directory}"\nacme_ca: "${ca}"\nsites:\n  shop:\n    hosts: [shop.example, www.shop.example]
    origin: ${origin}\n  own:\n    hosts: [own.example]\n    cert: ${cert}\n    key: ${key}\n    origin: ${origin}\n`;
const serial = async (host) => {
  const c = new Secure({ host });
  const found = (await c.shaken) ? c.socket.getPeerCertificate().serialNumber : undefined;
  c.close();
  return found;
};
await scenario({ yaml }, async ({ cases, freshet }) => {
  const api = async (method, target, body, headers) => {
    const r = await freshet.api(method, target, body, headers);
    return { ...r, json: /^\{/.test(r.text) ? JSON.parse(r.text) : undefined };
  };
  const list = async () => (await api('GET', '/api/v1/certificates')).json.certificates;
  const by = (all, source) => all.find((c) => c.source === source);
  const verb = (...words) => freshet.verb('certificate', ...words);
  await freshet.saying('there is a certificate for shop.example');
  // What is known of it, and its desk, are there a moment later.
  await soon(async () => ((c) => c.until && c.sites.join() === 'shop')(by(await list(), 'acme')));
  await cases.check('the list: whose, for whom, until when', async () => {
    const all = await list(), acme = by(all, 'acme'), file = by(all, 'file');
    equal(all.length, 2);
    equal(acme.names.join(), 'shop.example,www.shop.example');
    equal(acme.sites.join(), 'shop');
    equal(acme.directory, pebble.directory);
    check(/^shop.example-[0-9a-f]{16}$/.test(acme.id), acme.id);
    const left = Date.parse(acme.until) - Date.now();
    check(left > 0 && Date.parse(acme.renewed) - Date.now() < left && Date.parse(acme.renewed) > Date.now(), `${acme.renewed}, ${acme.until}`);
    equal(`${acme.ordering} ${acme.revoking} ${acme.error}`, 'false false undefined');
    equal(`${file.id} ${file.names} ${file.sites} ${file.renewed}`, `${cert} own.example own null`);
  });
  await cases.check('the verb, and status', async () => {
    const said = (await verb('list')).stdout;
    check(/^shop.example, www.shop.example: by ACME from https:\/\/\S+, good until \d{4}-\d\d-\d\d, renewed about \d{4}-\d\d-\d\d$/m.test(said), said);
    check(/^own.example: the file \S+own.pem, good until \d{4}-\d\d-\d\d$/m.test(said), said);
    equal(JSON.parse((await verb('list', '--json')).stdout).certificates.length, 2);
    const status = await freshet.verb('status');
    check(/^ *https +own.example: the file/m.test(status.stdout), status.stdout);
    equal((await api('GET', '/api/v1/status')).json.certificates.length, 2);
  });
  await cases.check('explain says what a visitor of the host gets', async () => {
    const of = async (url) => (await api('GET', `/api/v1/explain?url=${encodeURIComponent(url)}`)).json.certificates;
    equal((await of('https://www.shop.example/')).map((c) => c.source).join(), 'acme');
    equal((await of('https://own.example/')).map((c) => c.source).join(), 'file');
    equal(await of('http://own.example/'), undefined);
    const said = (await freshet.verb('explain', 'https://own.example/')).stdout;
    check(/^ *https +own.example: the file/m.test(said), said);
  });
  await cases.check('a token for one site sees its own', async () => {
    const made = (await freshet.verb('token', 'create', '--name', 'o', '--scope', 'admin', '--site', 'own')).stdout.trim();
    const authorization = `Bearer ${made}`;
    const r = await api('GET', '/api/v1/certificates', undefined, { authorization });
    equal(r.json.certificates.map((c) => c.source).join(), 'file');
    equal((await api('POST', '/api/v1/certificates', '{"name":"own.example","action":"renew"}', { authorization })).status, 403);
  });
  await cases.check('metrics', async () => {
    const { text } = await api('GET', '/metrics');
    const at = Number(text.match(/^freshet_certificate_expiry_timestamp_seconds\{certificate="shop.example-[0-9a-f]+",name="shop.example",source="acme"\} (\d+)$/m)[1]);
    equal(at, Date.parse(by(await list(), 'acme').until) / 1000);
    for (const line of ['acme_orders_total 1', 'acme_issued_total 1', 'acme_renewals_total 0', 'acme_revocations_total 0', 'acme_failures_total 0', 'certificates 2'])
      check(text.includes(`\nfreshet_${line}\n`), line);
  });
  await cases.check('what cannot be asked for', async () => {
    const r = await verb('renew', 'own.example');
    equal(r.status, 1);
    check(/no certificate of ACME is for "own.example"; there are those for shop.example. What is there for it is the file \S+own.pem: write another one there/
      .test(r.stderr), r.stderr);
    check(/is for "x"; there are those for shop.example/.test((await verb('revoke', 'x')).stderr), 'unknown');
    check(/"stolen" is no reason that may be given; there are unspecified, keyCompromise/.test((await verb('revoke', 'shop.example', '--reason', 'stolen')).stderr), 'reason');
    for (const [body, text] of [['{}', 'name is missing'], ['{"name":"a","action":"x"}', 'action must be'], ['{"name":"a","action":"renew","reason":"b"}', 'reason is for revoke'],
      ['[]', ''], ['{"name":5,"action":"renew"}', 'name'], ['{"nam":"a"}', 'nam']]) {
      const a = await api('POST', '/api/v1/certificates', body);
      equal(a.status, 400, body);
      check(a.text.includes(text), a.text);
    }
  });
  await soon(() => serial('shop.example'));
  const first = await serial('shop.example');
  await cases.check('by hand, too, there is an hour between two', async () => {
    const r = await verb('renew', 'www.shop.example');
    equal(r.status, 1);
    check(/not renewed: the one that is there came \d+ minutes? ago, and between two for the same names there is an hour.*ask again in \d+ minutes/.test(r.stderr), r.stderr);
    equal(pebble.orders, 1, 'orders');
  });
  await cases.check('after it: renewed, and the old one stays good', async () => {
    await freshet.advance('61m');
    const r = await verb('renew', 'shop.example');
    equal(r.status, 0, r.stderr);
    check(/^renewed; now there is\nshop.example, www/.test(r.stdout), r.stdout);
    await soon(async () => (await serial('shop.example')) !== first);
    equal((await pebble.standing(first)).Status, 'Valid');
    equal(pebble.orders, 2, 'orders');
  });
  const second = await serial('shop.example');
  await cases.check('revoked and replaced, within the hour', async () => {
    const r = await verb('revoke', 'shop.example');
    equal(r.status, 0, r.stderr);
    check(/^revoked and replaced; now there is/.test(r.stdout), r.stdout);
    const standing = await pebble.standing(second);
    equal(`${standing.Status} ${standing.Reason}`, 'Revoked 4');
    await soon(async () => (await serial('shop.example')) !== second);
    const log = freshet.log();
    check(log.lastIndexOf('there is a certificate for') < log.indexOf('the CA has revoked the earlier certificate for shop.example'), 'the new one came first');
  });
  const third = await serial('shop.example');
  await cases.check('a key that others have: revoked first', async () => {
    const r = await verb('revoke', 'shop.example', '--reason', 'keyCompromise');
    equal(r.status, 0, r.stderr);
    const standing = await pebble.standing(third);
    equal(`${standing.Status} ${standing.Reason}`, 'Revoked 1');
    const log = freshet.log();
    check(log.indexOf('the CA has revoked the certificate for shop.example') < log.lastIndexOf('there is a certificate for'), 'it was revoked first');
    await soon(async () => (await serial('shop.example')) !== third);
    check((await api('GET', '/metrics')).text.includes('\nfreshet_acme_revocations_total 2\n'), 'revocations');
  });
  await cases.check('nothing of it is left to be done', async () => {
    const [file] = fs.readdirSync('state/acme').filter((f) => /^shop.*\.json$/.test(f));
    const record = JSON.parse(fs.readFileSync(`state/acme/${file}`));
    equal(`${record.revoke} ${record.wanted} ${record.error}`, 'undefined undefined ');
  });
});
