// An upgrade keeps addresses apart that read the same: two of listen and one of https with port 0 are three ports, and each stays what it was.
// scenarios V12
import fs from 'node:fs';
import { check, equal, Raw, reply, request, scenario, soon } from '../lib.mjs';
import { Secure, certificate } from '../tls.mjs';

const answer = (r) => reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' });
const any = '127.0.0.1:0';
const [, cert, , key] = certificate('test', ['test']);
const yaml = (origin) => `listen: ["${any}", "${any}"]\nhttps: "${any}"\nworkers: 2\ncert: ${cert}\nkey: ${key}\norigin: ${origin}\n`;
await scenario({ answer, yaml }, async ({ cases, freshet }) => {
  const ports = (text) => [...text.matchAll(/listening on 127\.0\.0\.1:(\d+)( with TLS)?\n/g)].map((m) => `${m[1]}${m[2] ?? ''}`);
  const first = ports(freshet.log());
  equal(first.length, 3);
  const each = async () => {
    for (const one of first) {
      const at = { host: '127.0.0.1', port: parseInt(one, 10) };
      const c = one.endsWith('TLS') ? new Secure({ path: undefined, ...at, servername: 'test' }) : new Raw(at);
      await c.send(request('/page'));
      equal((await c.answers(1))[0].body, 'page /page', one);
      c.close();
    }
  };
  await cases.check('before', each);
  for (const which of ['once', 'and once more'])
    await cases.check(`an upgrade, ${which}`, async () => {
      const from = fs.readFileSync(freshet.at('log'), 'utf8').length;
      await freshet.upgrade();
      await freshet.drained();
      const now = () => ports(freshet.log().slice(from));
      await soon(() => now().length === first.length);
      equal(now().join(), first.join());
      await each();
    });
  check(first.at(-1).endsWith('TLS'), 'https is the last');
});
