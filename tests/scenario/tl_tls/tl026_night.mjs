// A night's renewal, hour by hour in turned time, with pebble: two sites' certificates are renewed while visitors come, the CA is down for a part of it, no
// visitor finds a host without a good certificate, and each site costs one order. tests issue 15
import { check, equal, request, scenario, soon } from '../lib.mjs';
import { Pebble, door, names, server_certificate } from '../acme.mjs';
import { Secure, address } from '../tls.mjs';

const ca = server_certificate();
const front = await door('front');
const dns = await names();
const pebble = await Pebble.start({ http: front.port, dns: dns.port, env: { PEBBLE_AUTHZREUSE: '0' }, config: { certificateValidityPeriod: 86400 * 90 } });
const yaml = (origin) => `https: ["${address}"]\nacme_directory: "${pebble.directory}"\nacme_ca: "${ca}"\nidle_timeout: 1d\nsites:
  shop:\n    hosts: [shop.example, www.shop.example]\n    origin: ${origin}\n  blog:\n    hosts: [blog.example]\n    origin: ${origin}\n`;
const hosts = ['shop.example', 'www.shop.example', 'blog.example'], hour = 3_600_000;
await scenario({ yaml }, async ({ cases, freshet }) => {
  const serials = new Map(hosts.map((h) => [h, new Set()]));
  const visit = async (host) => {
    const c = new Secure({ host });
    check(await c.shaken, `${host}: ${c.error}`);
    serials.get(host).add(c.socket.getPeerCertificate().serialNumber);
    await c.send(request('/', { Host: host }));
    equal((await c.answers(1))[0].status, 200, host);
    c.close();
  };
  // freshet's clock, as far as it was turned.
  let turned = 0;
  const clock = () => Date.now() + turned;
  const turn = async (hours) => {
    turned += hours * hour;
    await freshet.advance(`${hours}h`);
  };
  const list = async () => JSON.parse((await freshet.api('GET', '/api/v1/certificates')).text).certificates;
  const total = async (name) => Number((await freshet.api('GET', '/metrics')).text.match(new RegExp(`^freshet_${name} (\\d+)$`, 'm'))[1]);
  await freshet.saying('there is a certificate for', 2);
  await soon(() => Promise.all(hosts.map(visit)).then(() => true, () => false));
  let kept, answers = 0;
  const by_kept = async () => {
    await kept.send(request('/', { Host: 'shop.example' }));
    equal((await kept.answers(++answers)).at(-1).status, 200);
  };
  await cases.check('until the evening nothing is due', async () => {
    const first = Math.min(...(await list()).map((c) => Date.parse(c.renewed)));
    await turn(Math.floor((first - Date.now()) / hour) - 2);
    await Promise.all(hosts.map(visit));
    kept = new Secure({ host: 'shop.example' });
    await by_kept();
    equal(await total('acme_renewals_total'), 0);
    equal(pebble.orders, 2, 'orders');
  });
  await cases.check('a CA that is down for the first hours harms nobody, and is asked less and less often', async () => {
    await pebble.stop();
    for (let i = 0; i < 4; i++) {
      const before = await total('acme_failures_total');
      await turn(1);
      if (i === 3) await soon(async () => (await total('acme_failures_total')) > before);
      await Promise.all(hosts.map(visit));
    }
    check(/acme: cannot renew the certificate for .*cannot ask 127.0.0.1/.test(freshet.log()), 'it is said');
    check((await list()).some((c) => c.error && c.next_try), 'and shown');
    await by_kept();
  });
  await pebble.again();
  await cases.check('in the morning all is new', async () => {
    // The other one's time may be three days away: each is chosen by chance.
    for (let i = 0; i < 24 * 5 && (await total('acme_renewals_total')) < 2; i++) {
      // An order that is under way would take an hour by the turn.
      await soon(async () => !(await list()).some((c) => c.ordering));
      const ended = async () => (await total('acme_renewals_total')) + (await total('acme_failures_total'));
      const before = await ended(), due = (await list()).some((c) => Date.parse(c.next_try ?? c.renewed) < clock() + hour);
      await turn(1);
      if (due) await soon(async () => (await ended()) > before);
      await Promise.all(hosts.map(visit));
      await by_kept();
    }
    equal(await total('acme_renewals_total'), 2);
    await soon(async () => {
      await Promise.all(hosts.map(visit));
      return hosts.every((h) => serials.get(h).size === 2);
    });
    check((await list()).every((c) => !c.error), 'no error is left');
    equal(await total('acme_issued_total'), 4);
  });
  kept.close();
});
await pebble.stop();
