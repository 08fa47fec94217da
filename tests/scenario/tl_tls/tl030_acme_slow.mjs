// A CA that is slow is waited for, as it asks (Retry-After), a quarter of an hour for an order; the next try goes on with the same one. A question that it does
// not answer ends after its time, and holds up no visitor and not the end of the process. What it wants and freshet cannot show is said, and nothing is shown.
import { check, equal, scenario, soon } from '../lib.mjs';
import { ProvingCa, server_certificate } from '../acme.mjs';
import { address, hands } from '../tls.mjs';

const pem = server_certificate();
const ca = await new ProvingCa().start();
const never = () => new Promise(() => {});
const yaml = (origin, host = 'a.example') =>
  `https: ["${address}"]\nacme_directory: "${ca.url}/dir"\nacme_ca: "${pem}"\nsites:\n  shop:\n    hosts: [${host}, served.example]\n    origin: ${origin}\n`;
// Of the first process alone, which asks one question.
process.env.FRESHET_TEST_ANSWER_MS = '1000';
ca.on.dir = never;
await scenario({ yaml }, async ({ ask, cases, freshet, origin }) => {
  delete process.env.FRESHET_TEST_ANSWER_MS;
  const served = async () => equal((await ask('/', { Host: 'served.example' })).status, 200);
  const become = (host) => {
    freshet.note('config.yaml', yaml(origin.url, host));
    freshet.signal('HUP');
  };
  await cases.check('a question that is not answered ends after its time', async () => {
    await served();
    await freshet.saying('no certificate for a.example, served.example: cannot ask localhost:\\d+: .*(timed out|timeout).*The next try is in \\d minute');
    delete ca.on.dir;
    await freshet.restart(['--yaml', yaml(origin.url)]);
    equal(ca.count('newOrder'), 0, 'orders');
  });
  await cases.check('an order has a quarter of an hour', async () => {
    await freshet.advance('2m');
    await soon(() => ca.count('challenge') === 1);
    await freshet.advance('10m');
    const looked = ca.count('authorization');
    await soon(() => ca.count('authorization') > looked);
    check(!/taken too long/.test(freshet.log()), 'not yet');
    await served();
    await freshet.advance('6m');
    await freshet.saying('no certificate for a.example, served.example: the CA has taken too long. The next try is in \\d minutes');
  });
  const asked = [];
  await cases.check('the next try goes on with it; a certificate that is being made is asked for when the CA says', async () => {
    const order = ca.on.order;
    ca.believe(0);
    ca.on.finalize = (_, id, usual) => {
      const a = usual();
      ca.orders[id].status = 'processing';
      return { ...a, body: { ...a.body, status: 'processing' } };
    };
    ca.on.order = (payload, id, usual) => {
      const a = order(payload, id, usual);
      if (a.body.status !== 'processing') return a;
      asked.push(performance.now());
      if (asked.length === 2) ca.orders[id].status = 'valid';
      return { ...a, fields: { 'retry-after': '3' } };
    };
    await freshet.advance('8m');
    await freshet.saying('there is a certificate for a.example, served.example');
    check(asked[1] - asked[0] >= 3000, `asked again after ${asked[1] - asked[0]} ms`);
    equal(asked.length, 2, 'times');
    equal(ca.count('newOrder'), 1, 'orders');
    equal(ca.count('finalize'), 1, 'requests for a certificate');
    await soon(async () => !(await hands({ host: 'a.example' })).error);
    delete ca.on.finalize;
    ca.on.order = order;
  });
  const authorization = ca.on.authorization;
  for (const [host, what, change, says] of [
    ['b.example', 'no proof that freshet was told to show', (b) => ({ ...b, challenges: b.challenges.filter((c) => c.type !== 'http-01') }),
      'b.example: this CA does not offer http-01 for it; set acme_challenge to another one'],
    ['c.example', 'a proof for a name of others', (b) => ({ ...b, identifier: { type: 'dns', value: 'others.example' } }),
      'the CA wants a proof for "others.example", which nobody has asked for'],
    ['d.example', 'a token that is none', (b) => ({ ...b, challenges: b.challenges.map((c) => ({ ...c, token: '../../a' })) }),
      'the CA.s challenge has a token that is none'],
  ]) await cases.check(`it wants ${what}`, async () => {
    const n = ca.count('challenge');
    ca.on.authorization = (payload, id) => ({ body: change(authorization(payload, id).body) });
    become(host);
    await freshet.saying(`no certificate for ${host}, served.example: ${says}\\. The next try is in \\d minute`);
    equal(ca.count('challenge'), n, 'that it may look');
    equal((await ask(`/.well-known/acme-challenge/token${ca.orders.length - 1}`, { Host: host })).body, 'x');
  });
  ca.on.authorization = authorization;
  await cases.check('one that hangs holds up no visitor, and not the end of the process', async () => {
    ca.on.challenge = never;
    const n = ca.count('challenge');
    become('e.example');
    await soon(() => ca.count('challenge') === n + 1);
    await served();
    equal((await hands({ host: 'served.example' })).error, undefined);
    await freshet.settle();
    freshet.signal('TERM'); // sooner than its time would be over: a minute
    equal(await freshet.status(), '0');
  });
});
