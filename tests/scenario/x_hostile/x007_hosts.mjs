// Hosts: every spelling of one is one page and one Host for the origin; another port or name is another page; an unknown one is
// refused and nothing of it is stored; nobody can make freshet connect elsewhere.
// hostile h3-08 (Unkeyed port/host case), h3-15 (Host header attacks), h3-16 (SSRF); CACHING.md 4.1
import net from 'node:net';
import { check, equal, reply, scenario } from '../lib.mjs';

let touched = 0;
const trap = net.createServer((s) => {
  touched++;
  s.destroy();
});
await new Promise((r) => trap.listen(0, '127.0.0.1', r));
const elsewhere = `127.0.0.1:${trap.address().port}`;
let n = 0;
const answer = (r) => reply(`${++n} ${r.fields.host}`, { 'Cache-Control': 'max-age=60', Location: `http://${elsewhere}/` });
await scenario({ answer, yaml: (url) => `sites:\n  one:\n    hosts: [a.com, "*.b.com"]\n    origin: ${url}` }, async ({ ask, cases, origin }) => {
  const first = (await ask('/', { Host: 'a.com' })).body;
  for (const host of ['A.COM', 'a.com.', 'a.com:80', 'A.com.:80', 'a.com:080', 'a.com:']) {
    await cases.check(`Host: ${host} is a.com`, async () => {
      const r = await ask('/', { Host: host });
      check(r.status === 400 || r.body === first, `${r.status} ${r.body}`);
    });
  }
  equal(first, '1 a.com');
  await cases.check('another port is another page or none', async () => check((await ask('/', { Host: 'a.com:1337' })).body !== first, 'shared'));
  await cases.check('a name below', async () => equal((await ask('/', { Host: 'x.b.com' })).status, 200));
  const before = origin.requests.length;
  for (const host of ['other.com', 'b.com', 'a.com.evil', 'xa.com', 'localhost', '127.0.0.1', elsewhere, '169.254.169.254', '[::1]', 'x.b.com.evil.org']) {
    await cases.check(`Host: ${host} is nobody here`, async () => {
      for (let i = 0; i < 2; i++) {
        const r = await ask('/', { Host: host });
        check([404, 421].includes(r.status), `status ${r.status}`);
        check(/detail=unknown-host/.test(r.fields['cache-status']), r.fields['cache-status']);
        equal(r.fields['cache-control'], 'no-store');
      }
    });
  }
  await cases.check('the origin saw none of them', () => equal(origin.requests.length, before));
  for (const target of [`http://${elsewhere}/`, 'http://169.254.169.254/latest', `//${elsewhere}/`, `/@${elsewhere}/`, `/http://${elsewhere}/`, `/?url=http://${elsewhere}/`]) {
    await cases.check(`GET ${target}`, async () => check((await ask(target, { Host: 'a.com' })).status < 500, 'status'));
  }
  await cases.check('nobody was connected to elsewhere', () => equal(touched, 0));
  trap.close();
});
