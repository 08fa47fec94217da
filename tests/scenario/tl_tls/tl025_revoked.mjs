// A certificate that its CA takes back by itself (ARI with a window that is over) is replaced at the next look. One that is to be revoked by hand is not forgotten:
// a CA that is busy is asked again, also after a restart, and what it will never do is said and left.
import fs from 'node:fs';
import { check, equal, scenario, soon } from '../lib.mjs';
import { FakeCa, server_certificate } from '../acme.mjs';
import { Secure, address } from '../tls.mjs';

const pem = server_certificate();
const ca = await new FakeCa().start();
const yaml = (origin) => `https: ["${address}"]\nacme_directory: "${ca.url}/dir"\nacme_ca: "${pem}"\nsites:\n  shop:\n    hosts: [shop.example]\n    origin: ${origin}\n`;
const serial = async () => {
  const c = new Secure({ host: 'shop.example' });
  const found = (await c.shaken) ? c.socket.getPeerCertificate().serialNumber : undefined;
  c.close();
  return found;
};
const day = 86_400_000;
const window = (from, to) => ({ fields: { 'retry-after': '21600' }, body: { suggestedWindow: { start: new Date(from).toISOString(), end: new Date(to).toISOString() } } });
const problem = (type, detail) => ({ type: `urn:ietf:params:acme:error:${type}`, detail });
await scenario({ yaml }, async ({ cases, freshet, origin }) => {
  const verb = (...words) => freshet.verb('certificate', ...words);
  const record = () => JSON.parse(fs.readFileSync(`state/acme/${fs.readdirSync('state/acme').find((f) => /^shop.*\.json$/.test(f))}`));
  await freshet.saying('there is a certificate for shop.example');
  await soon(serial);
  const first = await serial();
  await cases.check('the CA wants it to be replaced yesterday: done at the next look', async () => {
    let bad;
    ca.on.renewalInfo = (_, id) => (id === (bad ??= id) ? window(Date.now() - 2 * day, Date.now() - day) : window(Date.now() + 50 * day, Date.now() + 51 * day));
    await freshet.advance('7h');
    await soon(async () => (await serial()) !== first);
    equal(ca.count('newOrder'), 2, 'orders');
    equal(ca.asked.findLast(([w]) => w === 'newOrder')[1].replaces, bad, 'the one that it replaces');
  });
  await cases.check('one that wants each to be replaced at once gets no more than one an hour', async () => {
    ca.on.renewalInfo = () => window(Date.now() - 2 * day, Date.now() - day);
    const before = ca.count('renewalInfo');
    await freshet.advance('7h');
    await soon(() => ca.count('newOrder') === 3);
    await soon(() => ca.count('renewalInfo') >= before + 2);
    equal(ca.count('newOrder'), 3, 'orders');
  });
  await cases.check('by hand there may be one sooner, since the CA wants it', async () => {
    // What it advises about the next one; that about this one is known.
    ca.on.renewalInfo = () => window(Date.now() + 500 * day, Date.now() + 501 * day);
    const r = await verb('renew', 'shop.example');
    equal(r.status, 0, r.stderr);
    equal(ca.count('newOrder'), 4, 'orders');
    await freshet.advance('7h');
  });
  const second = await serial();
  await cases.check('a CA that is busy: the new one serves, the old one is revoked later, also after a restart', async () => {
    ca.on.revokeCert = () => ({ status: 503, body: problem('serverInternal', 'busy now') });
    const r = await verb('revoke', 'shop.example', '--reason', 'superseded');
    equal(r.status, 1);
    check(/not revoked: cannot revoke the certificate for shop.example: the CA says: busy now .*The next try is in \d minutes?/.test(r.stderr), r.stderr);
    await soon(async () => (await serial()) !== second);
    check(record().revoke.length > 100, 'it is kept');
    const said = (await verb('list')).stdout;
    check(/; one is being revoked\n  FAILED 1 time: cannot revoke.*; the next try is at/.test(said), said);
    const again = await verb('revoke', 'shop.example');
    check(/one is being revoked already/.test(again.stderr), again.stderr);
    delete ca.on.revokeCert;
    await freshet.restart(['--yaml', yaml(origin.url)]);
    await freshet.advance('3d'); // its clock went back with the restart
    await freshet.saying('the CA has revoked the earlier certificate for shop.example');
    const [, asked] = ca.asked.findLast(([w]) => w === 'revokeCert');
    equal(asked.reason, 4);
    fs.writeFileSync('revoked.der', Buffer.from(asked.certificate, 'base64url'));
    const { X509Certificate } = await import('node:crypto');
    equal(new X509Certificate(fs.readFileSync('revoked.der')).serialNumber, second, 'which one');
    await soon(() => !record().revoke);
    equal(record().error, '');
  });
  await cases.check('what is revoked already is good', async () => {
    ca.on.revokeCert = () => ({ status: 400, body: problem('alreadyRevoked', 'was before') });
    const old = await serial();
    const r = await verb('revoke', 'shop.example');
    equal(r.status, 0, r.stderr);
    await soon(async () => (await serial()) !== old);
  });
  await cases.check('what the CA refuses is said once, and left', async () => {
    ca.on.revokeCert = () => ({ status: 403, body: problem('unauthorized', 'not yours') });
    const old = await serial();
    const r = await verb('revoke', 'shop.example', '--reason', 'keyCompromise');
    equal(r.status, 1);
    check(/the CA says: not yours \(unauthorized\)\. It is not tried again/.test(r.stderr), r.stderr);
    const n = ca.count('revokeCert');
    await soon(async () => (await serial()) !== old); // the new key comes all the same
    await soon(() => !record().wanted);
    await freshet.advance('1d');
    equal(ca.count('revokeCert'), n);
  });
  await cases.check('no new one comes: the old one stays, and is not revoked', async () => {
    const n = ca.count('revokeCert'), before = await serial();
    ca.on.newOrder = () => ({ status: 429, fields: { 'retry-after': '7200' }, body: problem('rateLimited', 'too many') });
    const r = await verb('revoke', 'shop.example');
    equal(r.status, 1);
    check(/not revoked: the old one is revoked when another one is there; now there is none: the CA says: too many .*The next try is in 1?\d\d minutes|hours/.test(r.stderr), r.stderr);
    const told = await verb('renew', 'shop.example');
    check(/the CA has asked not to be asked before \d{4}-/.test(told.stderr), told.stderr);
    equal(ca.count('revokeCert'), n);
    equal(await serial(), before);
    delete ca.on.newOrder;
    delete ca.on.revokeCert;
    await freshet.advance('4h');
    await freshet.saying('the CA has revoked the earlier certificate for shop.example', 2);
    await soon(async () => (await serial()) !== before);
  });
  await cases.check('a CA without revocation', async () => {
    ca.on.dir = (_, __, usual) => {
      const { body } = usual();
      return { body: { ...body, revokeCert: undefined } };
    };
    await freshet.restart(['--yaml', yaml(origin.url)]);
    const r = await verb('revoke', 'shop.example');
    check(/this CA revokes nothing by ACME: its directory has no revokeCert. It is not tried again/.test(r.stderr), r.stderr);
  });
});
