// A CA refuses what it was told before: by the process that an upgrade replaced, or by ourselves when the answer was lost. What it says of the order counts: it
// is gone on with, and no second one is made.
import { equal, scenario, soon } from '../lib.mjs';
import { ProvingCa, server_certificate } from '../acme.mjs';
import { address, hands } from '../tls.mjs';

const pem = server_certificate();
const ca = await new ProvingCa().start();
const refusal = (status, type, detail) => ({ status, body: { type: `urn:ietf:params:acme:error:${type}`, detail } });
const yaml = (origin, host = 'a.example') => `https: ["${address}"]\nacme_directory: "${ca.url}/dir"\nacme_ca: "${pem}"\nsites:\n  shop:\n    hosts: [${host}]\n    origin: ${origin}\n`;

ca.on.challenge = (_, id) => {
  ca.believe(id);
  return refusal(400, 'malformed', 'Cannot update challenge with status valid, only status pending');
};
await scenario({ yaml }, async ({ cases, freshet, origin }) => {
  const become = (host) => {
    freshet.note('config.yaml', yaml(origin.url, host));
    freshet.signal('HUP');
  };
  const served = (host) => soon(async () => !(await hands({ host })).error);
  await cases.check('that it may look for the proof', async () => {
    await served('a.example');
    equal(ca.count('newOrder'), 1, 'orders');
    equal(ca.count('challenge'), 1, 'times it was told');
  });
  await cases.check('the request for the certificate', async () => {
    ca.on.finalize = (_, __, usual) => {
      usual();
      return refusal(403, 'orderNotReady', 'the order is valid');
    };
    become('b.example');
    await served('b.example');
    equal(ca.count('newOrder'), 2, 'orders');
    equal(ca.count('finalize'), 2, 'requests');
  });
  await cases.check('what it refuses for good is an error, with its own words', async () => {
    ca.on.challenge = () => refusal(400, 'malformed', 'this is nothing');
    become('c.example');
    await freshet.saying('no certificate for c.example: the CA says: this is nothing');
    ca.on.challenge = (_, id) => {
      ca.believe(id);
      return {};
    };
    ca.on.finalize = () => refusal(403, 'unauthorized', 'not this key');
    become('d.example');
    await freshet.saying('no certificate for d.example: the CA says: not this key');
  });
});
