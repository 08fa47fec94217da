// An upgrade to fewer workers: the sockets of an https address that no worker of the new process has for its own are accepted from, and speak TLS, until they
// are empty; so does each of seventy.
// scenarios V12
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, certificate } from '../tls.mjs';

const answer = (r) => reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' });
const port = 21000 + (process.pid % 1000);
const [, cert, , key] = certificate('test', ['test']);
let url;
const file = (workers) => `admin: "unix:${path.resolve('admin')}"\nlisten: "unix:${path.resolve('front')}"\nhttps: "127.0.0.1:${port}"\nworkers: ${workers}\n` +
  `sites: {shop: {origin: "${url}", cert: "${path.resolve(cert)}", key: "${path.resolve(key)}"}}\n`;
const yaml = (origin) => { url = origin; return file(3); };
await scenario({ answer, yaml }, async ({ cases, freshet }) => {
  const get = async () => {
    const c = new Secure({ path: undefined, host: 'test', port, lookup: (name, options, done) => done(null, options.all ? [{ address: '127.0.0.1', family: 4 }] : '127.0.0.1', 4) });
    await c.send(request('/page'));
    const r = (await c.answers(1))[0];
    c.close();
    return r;
  };
  equal((await get()).body, 'page /page');
  for (const [from, times] of [[3, 40], [70, 300]])
    await cases.check(`one worker with the sockets of ${from}`, async () => {
      for (const workers of from === 3 ? [1] : [from, 1]) {
        fs.writeFileSync('config.yaml', file(workers));
        await freshet.upgrade();
        await freshet.drained();
        equal(JSON.parse((await freshet.api('GET', '/api/v1/status')).text).workers, workers);
      }
      for (let i = 0; i < times; i += 20)
        for (const r of await Promise.all(Array.from({ length: 20 }, get))) check(/hit/.test(r.fields['cache-status']), `a hit: ${r.fields['cache-status']}`);
    });
  freshet.note('files', String(await freshet.files())); // it has the sockets of seventy
});
