// An origin that does not let itself be connected to runs into connect_timeout: a 504 that says so, and its place is free again.
// scenarios T1; CACHING.md 6.7
import path from 'node:path';
import { deaf, equal, Origin, reply, scenario } from '../lib.mjs';

const tcp = await deaf();
const local = await deaf({ path: path.resolve('full') });
const site = (name, origin) => `  ${name}:\n    hosts: [${name}.example]\n    origin: ${origin}\n    origin_connections: 1\n    connect_timeout: 20s\n`;

await scenario({ yaml: (url) => `sites:\n${site('other', url)}${site('deaf', `http://127.0.0.1:${tcp.port}`)}${site('full', `unix:${local.path}`)}` },
  async ({ connect, ask, cases, freshet }) => {
    const get = async (host, target) => {
      const c = connect();
      await c.send(`GET ${target} HTTP/1.1\r\nHost: ${host}.example\r\n\r\n`);
      return c;
    };
    const timed_out = async (c) => {
      const [r] = await c.answers();
      equal(r.status, 504);
      equal(r.fields['cache-control'], 'no-store');
      equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=connect-timeout');
      c.close();
    };
    const first = await get('deaf', '/1');
    await freshet.until('fetches', '==', 1, 'origin_connections', '==', 1);
    await freshet.advance('19s');
    await cases.check('others are answered meanwhile', async () => equal((await ask('/', { Host: 'other.example' })).body, 'x'));
    await cases.check('not before its time', () => equal(first.text, ''));
    const second = await get('deaf', '/2'); // waits for the place of the first, then has a time of its own
    await freshet.until('fetches', '==', 2);
    await freshet.advance('2s');
    await cases.check('504', () => timed_out(first));
    await freshet.until('origin_connects_total', '==', 3);
    await freshet.advance('21s');
    await cases.check('504 for who waited', () => timed_out(second));

    const full = await get('full', '/');
    await cases.check('a Unix socket says at once that its queue is full', async () => {
      const [r] = await full.answers();
      equal(r.status, 502);
      equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=connect-failed');
    });
    full.close();

    await tcp.close();
    await local.close();
    const again = new Origin(() => reply('back'));
    await again.listen(tcp.port);
    await cases.check('it lets itself be connected to again', async () => equal((await ask('/', { Host: 'deaf.example' })).body, 'back'));
    await freshet.settle();
  });
