// What a CA asks for is heeded: it is asked again when it says so (429 with Retry-After), also after a restart; an order that was begun goes on after a
// restart; a certificate is renewed when it advises (ARI, RFC 9773), and what it gives for another key is not served.
import fs from 'node:fs';
import { check, equal, gate, scenario, soon } from '../lib.mjs';
import { FakeCa, server_certificate } from '../acme.mjs';
import { Secure, address, hands } from '../tls.mjs';

const pem = server_certificate();
const ca = await new FakeCa().start();
const yaml = (origin) => `https: ["${address}"]\nacme_directory: "${ca.url}/dir"\nacme_ca: "${pem}"\nsites:\n  shop:\n    hosts: [shop.example]\n    origin: ${origin}\n`;
const problem = (type, detail) => ({ type: `urn:ietf:params:acme:error:${type}`, detail });
const serial = async () => {
  const c = new Secure({ host: 'shop.example' });
  const found = (await c.shaken) ? c.socket.getPeerCertificate().serialNumber : undefined;
  c.close();
  return found;
};
ca.on.newOrder = () => ({ status: 429, fields: { 'retry-after': '36000' }, body: problem('rateLimited', 'too many certificates. Ask again later.') });
await scenario({ yaml }, async ({ cases, freshet, origin }) => {
  const restart = () => freshet.restart(['--yaml', yaml(origin.url)]);
  await cases.check('too much for the CA: freshet waits as long as it says', async () => {
    await freshet.saying('no certificate for shop.example: the CA says: too many certificates. Ask again later \\(rateLimited\\); wait, and try with ' +
      '`acme_directory: staging` what you want to try. The next try is in 1\\d hours');
    await freshet.advance('9h');
    await restart(); // with the clock as it was
    await freshet.advance('9h');
    equal(ca.count('newOrder'), 1, 'orders');
  });
  const held = gate();
  await cases.check('an order that was begun goes on after a restart', async () => {
    delete ca.on.newOrder;
    ca.on.finalize = async (payload, id, usual) => {
      const answer = usual();
      await held.opened; // so freshet has ended before it hears of it
      return answer;
    };
    await freshet.advance('5h');
    await soon(() => ca.count('finalize') === 1);
    await restart();
    held.open();
    await freshet.advance('14h'); // its clock went back with the restart
    await freshet.saying('there is a certificate for shop.example');
    equal(ca.count('newOrder'), 2, 'orders');
    equal(ca.count('finalize'), 1, 'requests for a certificate');
    equal(ca.count('newAccount'), 1, 'accounts');
    delete ca.on.finalize;
  });
  await soon(async () => !(await hands({ host: 'shop.example' })).error);
  const first = await serial();
  await cases.check('it is renewed in the window that the CA advises, once, as a replacement of the one before', async () => {
    const at = Date.now() + 86_400_000 * 20;
    let advised;
    ca.on.renewalInfo = (_, id) => (id !== (advised ??= id) ? undefined : { fields: { 'retry-after': '21600' }, body: { suggestedWindow: {
      start: new Date(at).toISOString(), end: new Date(at + 3_600_000).toISOString() } } });
    await freshet.advance('1d');
    await freshet.saying('the CA wants the certificate for shop.example to be renewed about');
    equal(await serial(), first, 'the certificate');
    await freshet.advance('20d');
    await soon(async () => (await serial()) !== first);
    equal(ca.count('newOrder'), 3, 'orders');
    equal(ca.asked.findLast(([w]) => w === 'newOrder')[1].replaces, advised, 'the one that it replaces');
  });
  const second = await serial();
  await cases.check('a certificate for another key is not served', async () => {
    ca.on.certificate = () => ({ body: fs.readFileSync('fake.pem', 'utf8') });
    await freshet.advance('55d');
    await freshet.saying('cannot renew the certificate for shop.example: the key of the order does not match the certificate what the CA gave');
    equal(await serial(), second, 'the certificate');
    delete ca.on.certificate;
  });
  await cases.check('a CA that is down for a while (503)', async () => {
    ca.on.dir = () => ({ status: 503, fields: { 'retry-after': '7200' }, body: 'busy' });
    await freshet.advance('2m');
    await freshet.saying('cannot renew the certificate for shop.example: the CA answers 503 and does not say why. The next try is in 2 hours');
    delete ca.on.dir;
  });
  await cases.check('what is no CA', async () => {
    ca.on.dir = () => ({ body: '<html>' });
    await freshet.advance('3h');
    await freshet.saying('what is at \\S* is no directory of ACME: it has no newNonce; look at acme_directory');
    delete ca.on.dir;
  });
  await cases.check('then it is renewed', async () => {
    await freshet.advance('1h');
    await soon(async () => (await serial()) !== second);
    check(!JSON.parse(fs.readFileSync(`state/acme/${fs.readdirSync('state/acme').find((f) => /^shop.*\.json$/.test(f))}`)).error, 'no error is left');
  });
  // Last: its clock is as it was at first.
  await cases.check('an upgrade while the CA makes one: the new process fetches it, by the same order', async () => {
    const before = await serial(), made = gate(), orders = ca.count('newOrder'), made_before = ca.count('finalize');
    ca.on.finalize = async (payload, id, usual) => {
      const answer = usual();
      await made.opened;
      return answer;
    };
    await freshet.advance('61d');
    await soon(() => ca.count('finalize') === made_before + 1);
    await freshet.upgrade();
    made.open();
    await soon(async () => (await serial()) !== before);
    await freshet.drained();
    equal(ca.count('newOrder'), orders + 1, 'orders');
    equal(ca.count('finalize'), made_before + 1, 'requests for a certificate');
    delete ca.on.finalize;
  });
});
