// An origin is an address, a name, or a Unix socket; one whose name nobody knows is a 502 that says so.
// CACHING.md 6.7
import net from 'node:net';
import path from 'node:path';
import { check, equal, reply, scenario } from '../lib.mjs';

const serve = (at, body) => new Promise((resolve, reject) => {
  const server = net.createServer((s) => s.on('data', () => s.write(reply(body, { 'Cache-Control': 'no-store' }))).on('error', () => {}));
  server.on('error', reject);
  server.listen(at, () => resolve(server));
});
const servers = [await serve({ host: '127.0.0.1', port: 0 }, 'by name'), await serve({ path: path.resolve('origin') }, 'by a socket')];
const six = await serve({ host: '::1', port: 0 }, 'by IPv6').catch(() => null); // a machine without
if (six) servers.push(six);
const site = (name, origin) => `  ${name}:\n    hosts: [${name}.example]\n    origin: ${origin}\n`;
const unknown = 'nowhere.invalid'; // RFC 6761 §6.4: nobody has it

await scenario({ yaml: (url) => `sites:\n  literal:\n    hosts: [literal.example]\n    origin: ${url}\n` +
  site('name', `http://localhost:${servers[0].address().port}`) + site('socket', `unix:${path.resolve('origin')}`) +
  (six ? site('six', `http://[::1]:${six.address().port}`) : '') + site('unknown', `http://${unknown}`) }, async ({ ask, cases, freshet }) => {
  const body = async (name) => (await ask('/', { Host: `${name}.example` })).body;
  await cases.check('by an address', async () => equal(await body('literal'), 'x'));
  await cases.check('by a name', async () => equal(await body('name'), 'by name'));
  await cases.check('by a Unix socket', async () => equal(await body('socket'), 'by a socket'));
  if (six) await cases.check('by an address of IPv6', async () => equal(await body('six'), 'by IPv6'));
  await cases.check('a name that nobody knows', async () => {
    const r = await ask('/', { Host: 'unknown.example' });
    equal(r.status, 502);
    check(/detail=resolve-failed/.test(r.fields['cache-status']), r.fields['cache-status']);
    check(freshet.log().includes(`cannot resolve "${unknown}"`), freshet.log());
  });
});
