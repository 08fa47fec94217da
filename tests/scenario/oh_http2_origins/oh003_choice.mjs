// Which protocol an origin gets is the setting's and the origin's choice: what HTTP/1.1 is chosen for goes by it, `only` takes nothing else and says so, a
// reload turns it, checks and draining work, and of several origins each speaks its own.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { check, equal, gate, scenario, soon } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

authority('ca');
const pair = signed('good', 'ca', ['IP:127.0.0.1']);
const seen = { h2c: [], h1: [], new: [], old: [] };
let slow = null;
async function start(name, server, tls) {
  server.on('request', async (r, res) => {
    seen[name].push(`${r.httpVersion} ${r.method} ${r.url}`);
    if (slow) await slow.opened;
    res.setHeader('cache-control', 'no-store');
    res.end(`${name} ${r.httpVersion}`);
  });
  server.connections = 0;
  server.on(tls ? 'secureConnection' : 'connection', () => server.connections++);
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  return `${tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
}
const servers = { h2c: http2.createServer(), h1: http.createServer(), new: http2.createSecureServer({ ...pair, allowHTTP1: true }), old: https.createServer(pair) };
const at = { h2c: await start('h2c', servers.h2c), h1: await start('h1', servers.h1), new: await start('new', servers.new, true), old: await start('old', servers.old, true) };
const mute = net.createServer((s) => s.on('error', () => {}).resume());
await new Promise((r) => mute.listen(0, '127.0.0.1', r));
at.mute = `http://127.0.0.1:${mute.address().port}`;
const site = (host, origin, http2, more = '') => `
  ${host}:
    hosts: [${host}]
    origin: ${origin}
    origin_http2: ${http2}${more}`;
const yaml = (turned = 'auto') => `origin_ca: ${path.resolve('ca.pem')}
workers: 1
sites:${site('clear', at.h2c, 'only')}${site('plain', at.h1, 'auto')}${site('wrong', at.h1, 'only')}${site('mute', at.mute, 'only')}${site('old', at.old, 'auto')}${site('stubborn', at.old, 'only')}${
  site('turned', at.new, turned)}${site('both', `["${at.new}", "${at.old}"]`, 'auto')}${
  site('checked', at.h2c, 'only', '\n    health:\n      path: /well\n      every: 1s')}`;

await scenario({ yaml: () => yaml() }, async ({ ask, cases, connect, freshet }) => {
  const get = (host, target = '/') => ask(target, { Host: host });
  await cases.check('in clear: only is HTTP/2, auto is HTTP/1.1', async () => {
    equal((await get('clear')).body, 'h2c 2.0');
    equal((await get('plain')).body, 'h1 1.1');
  });
  await cases.check('by TLS: as the origin chooses', async () => {
    equal((await get('turned')).body, 'new 2.0');
    equal((await get('old')).body, 'old 1.1');
  });
  await cases.check('a crowd at an origin that chooses HTTP/1.1 has a connection each', async () => {
    slow = gate();
    const before = seen.old.length, all = Array.from({ length: 10 }, (_, i) => get('old', `/${i}`));
    await soon(() => seen.old.length === before + 10);
    slow.open();
    slow = null;
    for (const r of await Promise.all(all)) equal(r.body, 'old 1.1');
  });
  await cases.check('a crowd at one that chooses HTTP/2 has one', async () => {
    await freshet.advance('40s');
    await freshet.until('origin_connections', '==', 0);
    slow = gate();
    const made = servers.new.connections, before = seen.new.length, all = Array.from({ length: 30 }, (_, i) => get('turned', `/${i}`));
    await soon(() => seen.new.length === before + 30);
    slow.open();
    slow = null;
    for (const r of await Promise.all(all)) equal(r.body, 'new 2.0');
    equal(servers.new.connections, made + 1);
  });
  await cases.check('only, of an origin that does not: 502, and the log says why', async () => {
    equal((await get('wrong')).status, 502);
    check(/origin-http2/.test((await get('wrong')).fields['cache-status']), 'the reason');
    await freshet.saying('what it says is no HTTP/2|it closed the connection instead of speaking HTTP/2');
    equal((await get('stubborn')).status, 502);
    await freshet.saying('it chose HTTP/1.1, and origin_http2 is only');
  });
  await cases.check('only, of one that says nothing: 504, all who wait for that connection together', async () => {
    const all = Array.from({ length: 5 }, (_, i) => get('mute', `/${i}`));
    await freshet.until('fetches', '==', 5);
    equal((await freshet.gauges()).origin_connects_total >= 1, true);
    await freshet.meanwhile('6s', async () => (await freshet.gauges()).fetches === 0);
    for (const r of await Promise.all(all)) equal(r.status, 504);
    await freshet.saying('it was reached, but did not begin to speak HTTP/2 in time');
  });
  await cases.check('who waits for one that is being made takes over when its first leaves', async () => {
    const c = connect(), before = (await freshet.gauges()).fetches_total;
    await c.send('POST /a HTTP/1.1\r\nHost: mute\r\nContent-Length: 0\r\n\r\n');
    await freshet.until('fetches_total', '==', before + 1);
    const r = get('mute', '/b');
    await freshet.until('fetches_total', '==', before + 2);
    c.close();
    await freshet.until('fetches', '==', 1);
    await freshet.meanwhile('6s', async () => (await freshet.gauges()).fetches === 0);
    equal((await r).status, 504);
  });
  await cases.check('status says which', async () => {
    equal((await get('clear')).body, 'h2c 2.0');
    const said = JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
    const of = (url) => said.origins.find((o) => o.address.startsWith(url));
    equal(of(at.h2c).http2_connections >= 1, true, JSON.stringify(said.origins));
    equal(of(at.h1).http2_connections, 0);
    const listed = (await freshet.verb('origin', 'list')).stdout;
    check(listed.includes(`${at.h2c}: well; 0 outstanding (HTTP/2)`), listed);
  });
  await cases.check('of several, each its own', async () => {
    await freshet.advance('2s'); // one was wrong for another site a moment ago
    const said = new Set();
    for (let i = 0; i < 6; i++) said.add((await get('both', `/${i}`)).body);
    equal([...said].sort().join(), 'new 2.0,old 1.1');
  });
  await cases.check('checks go by the protocol of the site', () => soon(() => seen.h2c.includes('2.0 GET /well')));
  await cases.check('a reload turns it off, and on again', async () => {
    fs.writeFileSync('config.yaml', yaml('off'));
    freshet.signal('HUP');
    await soon(async () => (await get('turned')).body === 'new 1.1');
    fs.writeFileSync('config.yaml', yaml('auto'));
    freshet.signal('HUP');
    await soon(async () => (await get('turned')).body === 'new 2.0');
  });
  await cases.check('a log-in for the connection gets one of its own', async () => {
    equal((await ask('/', { Host: 'turned', Authorization: 'NTLM abc' })).body, 'new 1.1');
  });
});
