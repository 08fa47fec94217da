// An upgrade hands over https addresses like others: what was begun over TLS is answered by the old process, idle connections are ended as TLS ends
// them, and whoever comes is served by the new one, which has the keys of tickets: who was there before resumes. A worker with the sockets of several serves each.
import fs from 'node:fs';
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';
import { Secure, address, certificate, hands } from '../tls.mjs';

const later = gate();
const answer = async (r) => {
  if (r.target === '/slow') await later.opened;
  return reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' });
};
const port = 21000 + (process.pid % 1000), tcp = { path: undefined, host: '127.0.0.1', port, servername: 'test' };
const [, cert, , key] = certificate('test', ['test']);
let url;
const file = (workers) => `https: ["${address}", "127.0.0.1:${port}"]\nworkers: ${workers}\ndrain_timeout: 1h\ncert: ${cert}\nkey: ${key}\norigin: ${url}\n`;
const yaml = (origin) => {
  url = origin;
  return file(3);
};
await scenario({ answer, yaml }, async ({ cases, freshet, origin }) => {
  const get = async (c, target, n = 1) => {
    await c.send(request(target));
    return (await c.answers(n)).at(-1);
  };
  // Tickets of both versions, from the process that runs.
  const sessions = async () => {
    const all = [];
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
      const c = new Secure({ maxVersion });
      await get(c, '/1');
      await soon(() => c.session);
      all.push({ maxVersion, session: c.session });
      c.close();
    }
    return all;
  };
  const resume = async (all) => {
    for (const s of all) check((await hands(s)).resumed, `${s.maxVersion}: resumed`);
  };
  const idle = new Secure();
  await get(idle, '/1');
  const slow = new Secure();
  await slow.send(request('/slow'));
  await soon(() => origin.requests.length === 2);
  const before = await sessions();
  await freshet.upgrade();
  await cases.check('an idle connection is ended properly', async () => {
    await idle.closed();
    equal(idle.error, null);
  });
  await cases.check('whoever comes gets what was stored', async () => {
    for (let i = 0; i < 4; i++) {
      const c = new Secure();
      check(/hit/.test((await get(c, '/1')).fields['cache-status']), 'a hit');
      c.close();
    }
  });
  await cases.check('who was there before resumes', () => resume(before));
  await cases.check('what was begun is answered', async () => {
    later.open();
    equal((await slow.answers(1))[0].body, 'page /slow');
    await slow.closed();
    equal(slow.error, null);
    await freshet.drained();
  });
  await cases.check('one worker with the sockets of three: each is served', async () => {
    const kept = await sessions();
    fs.writeFileSync('config.yaml', file(1));
    await freshet.upgrade();
    await freshet.drained();
    // Where the kernel puts a connection depends on its port: of thirty, each socket gets some.
    await Promise.all(Array.from({ length: 30 }, async () => {
      const c = new Secure(tcp);
      check(/hit/.test((await get(c, '/1')).fields['cache-status']), 'a hit');
      c.close();
    }));
    await resume(kept);
  });
  await cases.check('one upgrade after the other', async () => {
    const kept = await sessions();
    for (let i = 0; i < 3; i++) {
      await freshet.upgrade();
      await freshet.drained();
      const c = new Secure();
      check(/hit/.test((await get(c, '/1')).fields['cache-status']), 'a hit');
      c.close();
    }
    await resume(kept);
  });
});
