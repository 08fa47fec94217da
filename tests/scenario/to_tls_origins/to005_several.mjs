// Of several https:// origins of a site one that is not believed is passed over, without a failed request, and its checks say so; it is asked again
// when its certificate is good.
import fs from 'node:fs';
import { check, equal, Origin, reply, scenario, soon } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

const ca = authority('ca'), ip = ['IP:127.0.0.1'];
authority('other');
const good = signed('good', 'ca', ip), stray = signed('stray', 'other', ip);
const answer = (name) => (r) => reply(r.target === '/up' ? 'up' : name, { 'Cache-Control': 'no-store' });
const a = await new Origin(answer('a'), good).listen();
const b = await new Origin(answer('b'), stray).listen();
const yaml = () => `origin_ca: ${ca}
slow_start: 0
refresh_backoff: 5s
sites:
  plain:
    hosts: [plain]
    origin: ["${a.url}", "${b.url}"]
  checked:
    hosts: [checked]
    origin: ["${a.url}", "${b.url}"]
    health: {path: /up, every: 5s, fall: 1, rise: 1}
`;
await scenario({ yaml }, async ({ ask, cases, freshet }) => {
  const names = async (host, count) => {
    let all = '';
    for (let i = 0; i < count; i++) {
      const r = await ask(`/${i}`, { Host: host });
      equal(r.status, 200, r.fields['cache-status']);
      all += r.body;
    }
    return all;
  };
  const sites = async () => JSON.parse((await freshet.api('GET', '/api/v1/origins')).text).sites;
  const of = async (site) => (await sites()).find((s) => s.site === site || s.name === site).origins;
  await cases.check('no request fails, and none is sent to the one that is not believed', async () => {
    equal(await names('plain', 8), 'aaaaaaaa');
    equal(b.requests.length, 0);
    await freshet.saying('is asked instead');
  });
  await cases.check('checks go by TLS, and it is down', async () => {
    await soon(async () => (await of('checked')).every((o) => o.checks.good + o.checks.bad > 0));
    equal((await of('checked')).map((o) => o.state).join(), 'well,down');
    await freshet.saying('is down for site checked, .*signed by "other", which freshet does not know');
    check(a.requests.some((r) => r.target === '/up'), 'a check');
    equal(await names('checked', 4), 'aaaa');
  });
  await cases.check('with a good certificate it has its turns', async () => {
    b.server.setSecureContext({ cert: fs.readFileSync('good.pem'), key: fs.readFileSync('good.key') });
    await freshet.meanwhile('5s', async () => (await of('checked')).every((o) => o.state === 'well'));
    equal([...(await names('checked', 4))].sort().join(''), 'aabb');
  });
});
