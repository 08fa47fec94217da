// What is on its way when a release is switched stays with it: an asset that the old origin brings after the switch is not stored for
// the new release; a deploy asks the origin of its own site, whatever host it names.
// CACHING.md 5.9
import fs from 'node:fs';
import net from 'node:net';
import { Origin, check, equal, gate, reply, scenario } from '../lib.mjs';

const asset = { 'Cache-Control': 'public, max-age=31536000, immutable', 'Content-Type': 'image/png' };
const hold = { asked: gate(), go: gate() };
const one = async (r) => {
  if (r.target === '/assets/logo.png') { hold.asked.open(); await hold.go.opened; }
  return reply(`one ${r.target}`, r.target === '/id' ? { 'Cache-Control': 'max-age=600', 'Netlify-Cache-ID': 'x' } : asset);
};
const hang = { asked: gate(), go: gate() };
const two = await new Origin(async (r) => {
  if (r.target === '/hangs') { hang.asked.open(); await hang.go.opened; }
  return reply(`two ${r.target}`, r.target === '/id' ? { 'Cache-Control': 'max-age=600', 'Netlify-Cache-ID': 'x' } : asset);
}).listen();
const rest = await new Origin(() => reply('rest', { 'Cache-Control': 'max-age=600' })).listen();
const yaml = (url) => `sites:\n  shop:\n    hosts: ["*.shop.example"]\n    origin: ${url}\n  rest:\n    origin: ${rest.url}`;
await scenario({ answer: one, yaml }, async ({ ask, cases, connect, freshet, origin }) => {
  const shop = { Host: 'www.shop.example' };
  const deploy = async (body) => { const r = await freshet.api('POST', '/api/v1/deploy', JSON.stringify({ site: 'shop', ...body })); return { status: r.status, ...JSON.parse(r.text) }; };
  await cases.check('the check asks the origin of the site', async () => {
    const r = await deploy({ id: 'dead', origin: 'http://127.0.0.1:1', wait: '0s' });
    equal(r.status, 502, r.message);
    equal(rest.requests.length, 0);
  });
  await cases.check('a page with a cache ID that was warmed is nobody else\'s before the switch', async () => {
    equal((await deploy({ id: 'never', origin: two.url, check: '/', warm: ['/id'], url: 'http://www.shop.example', warm_time: 60 })).status, 200);
    equal((await ask('/id', shop)).body, 'two /id');
    equal((await deploy({ rollback: true })).status, 200);
    equal((await ask('/id', shop)).body, 'one /id');
  });
  await cases.check('a WebSocket stays with its origin', async () => {
    const talker = net.createServer((s) => {
      let upgraded = false;
      s.on('error', () => {}).on('data', (d) => {
        if (upgraded) s.write(`old says ${d}`);
        else if (/upgrade: websocket/i.test(String(d))) { upgraded = true; s.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'); }
        else s.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      });
    });
    await new Promise((r) => talker.listen(0, '127.0.0.1', r));
    equal((await deploy({ id: 'talks', origin: `http://127.0.0.1:${talker.address().port}` })).status, 200);
    const c = connect();
    await c.send('GET /ws HTTP/1.1\r\nHost: www.shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await c.when('the upgrade', () => c.text.includes('101 Switching'));
    equal((await deploy({ id: 'later', origin: two.url })).status, 200);
    await c.send('hello');
    await c.when('its answer', () => c.text.includes('old says hello'));
    c.close();
    talker.close();
    equal((await deploy({ id: 'back', origin: origin.url })).status, 200);
  });
  await cases.check('a reload of what decides on storing ends a deploy under way', async () => {
    const r = deploy({ id: 'v9', origin: two.url, warm: ['/hangs'], url: 'http://www.shop.example' });
    await hang.asked.opened;
    fs.writeFileSync('config.yaml', fs.readFileSync('config.yaml', 'utf8').replace('  shop:\n', '  shop:\n    private_vetoes: true\n'));
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    hang.go.open();
    const said = await r;
    equal(said.status, 409);
    check(said.message.includes('configuration was changed meanwhile'), said.message);
  });
  await cases.check('an asset of the old origin, after the switch', async () => {
    const began = ask('/assets/logo.png', shop);
    await hold.asked.opened;
    equal((await deploy({ id: 'v2', origin: two.url })).status, 200);
    hold.go.open();
    equal((await began).body, 'one /assets/logo.png');
    await freshet.settle();
    const a = await ask('/assets/logo.png', shop);
    equal(a.body, 'two /assets/logo.png');
    check(a.fields['cache-status'].includes('fwd='), a.fields['cache-status']);
    equal(rest.requests.length, 0);
  });
});
await two.close();
await rest.close();
