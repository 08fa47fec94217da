// docs/TROUBLESHOOTING.md as it stands there: its commands, its snippets, and each line of its tables with a site that behaves so.
// CACHING.md 6.5.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Front, ask, end, run } from './lib/front.mjs';
import { block, blocks, change, guide } from './lib/guide.mjs';
import { Shell } from './lib/shell.mjs';
import { FRESHET, freePorts, until } from './lib/world.mjs';

const text = guide('TROUBLESHOOTING.md');
const section = (title) => text.slice(text.indexOf(`## ${title}`), `${text}\n## `.indexOf('\n## ', text.indexOf(`## ${title}`)));

/** First cells of a section's tables, one for each word in backticks. */
const rows = (title) => section(title).split('\n').filter((line, i, all) => /^\| `/.test(line) && !/^\|-/.test(all[i + 1])).flatMap((line) => line.split(' | ')[0].match(/`[^`]+`/g))
  .map((cell) => cell.slice(1, -1));

async function serve(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => (server.closeAllConnections(), server.close()) };
}

describe('why is my page not cached', () => {
  const long = { 'CDN-Cache-Control': 'max-age=60' };
  // For each line of the table: what the site says; a second request says what the table says.
  const kinds = {
    'hit; ttl=…': { headers: long, says: /hit; ttl=\d/ },
    'fwd=uri-miss; detail=no-permission': { headers: {} },
    'fwd=uri-miss; detail=no-lifetime': { headers: { 'Cache-Control': 'public, max-age=0, must-revalidate' } },
    'fwd=stale; fwd-status=304; stored': { headers: { 'Cache-Control': 'no-cache', ETag: '"a"' } },
    'fwd=bypass; detail="dev: would store for 60 s"': { headers: long, dev: true },
    'fwd=uri-miss; detail=private': { headers: { 'Cache-Control': 'private' } },
    'detail=no-store': { headers: { 'Cache-Control': 'no-store' } },
    'fwd=uri-miss; detail=set-cookie': { headers: { ...long, 'Set-Cookie': 'a=b' } },
    'fwd=uri-miss; detail=authorization': { headers: { 'Cache-Control': 'max-age=60' }, ask: { headers: { Authorization: 'Basic x' } } },
    'fwd=uri-miss; detail=vary-invalid': { headers: { ...long, 'Netlify-Vary': 'cokie=a' } },
    'fwd=uri-miss; detail=vary-star': { headers: { ...long, Vary: '*' } },
    'fwd=uri-miss; detail="targeted-invalid: CDN-Cache-Control, byte 15"': { headers: { 'CDN-Cache-Control': 'no-store, max age' } },
    'fwd=uri-miss; detail=status': { headers: long, status: 500 },
    'fwd=uri-miss; detail=too-large': { headers: { ...long, 'Content-Length': '5000' }, body: 'x'.repeat(5000) },
    'fwd=uri-miss; detail=method': { headers: long, ask: { method: 'HEAD' } },
    'fwd=method': { headers: long, ask: { method: 'POST' } },
    'fwd=vary-miss; stored': { headers: long, path: (n) => `?n=${n}` },
    'fwd=uri-miss; stored': { headers: long, path: (n) => `-${n}` },
    'fwd=stale; stored': { headers: { ...long, Age: '60' } },
  };
  let front, dev, site;

  before(async () => {
    site = await serve((request, response) => {
      const kind = kinds[decodeURIComponent(request.url.slice(1).replace(/(-|\?n=)\d$/, ''))];
      if (request.headers['if-none-match']) response.writeHead(304, kind.headers).end();
      else response.writeHead(kind.status ?? 200, kind.headers).end(kind.body ?? 'page');
    });
    front = await Front.start(`http://127.0.0.1:${site.port}`, { args: ['--object-bytes', '4K'] });
    dev = await Front.start(`http://127.0.0.1:${site.port}`, { args: ['--profile', 'dev'] });
  });
  after(async () => {
    await front.stop();
    await dev.stop();
    site.close();
  });

  test('each line of the table is tried', () => assert.deepEqual(rows('Why is my page not cached?'), Object.keys(kinds)));

  for (const [name, kind] of Object.entries(kinds))
    test(name, async () => {
      const at = (n) => (kind.dev ? dev : front).get(`/${encodeURIComponent(name)}${kind.path?.(n) ?? ''}`, kind.ask);
      await at(1);
      const { cache } = await at(2);
      if (kind.says) assert.match(cache, kind.says);
      else assert.ok(cache.startsWith('freshet; ') && cache.includes(name), cache);
    });
});

describe('why a 502, 503 or 504', () => {
  const open = [];
  afterEach(async () => {
    for (const close of open.splice(0)) await close(); // the site first: freshet waits for what is open
  });

  async function behind(port, args = []) {
    const front = await Front.start(`http://127.0.0.1:${port}`, { args });
    open.push(() => front.stop());
    return front;
  }
  /** A site that does this with each connection. */
  async function raw(handle) {
    const sockets = new Set();
    const server = net.createServer((socket) => (sockets.add(socket), socket.on('error', () => {}), handle(socket)));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push(() => (sockets.forEach((socket) => socket.destroy()), server.close()));
    return server.address().port;
  }
  /** An address where nobody answers: its owner sleeps, and the kernel has accepted as many connections as it keeps for him. */
  async function asleep() {
    const listen = "require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })";
    const owner = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = new Promise((resolve) => owner.once('exit', resolve));
    open.push(() => (owner.kill('SIGKILL'), gone));
    const port = Number(await new Promise((resolve) => owner.stdout.once('data', resolve)));
    owner.kill('SIGSTOP');
    await until('its sleep', () => readFileSync(`/proc/${owner.pid}/stat`, 'utf8').split(') ')[1].startsWith('T'));
    let kept = 0;
    const others = Array.from({ length: 4 }, () => net.connect(port, '127.0.0.1').on('error', () => {}).on('connect', () => kept++));
    open.push(() => others.forEach((socket) => socket.destroy()));
    await until('a full queue', () => kept === 2);
    return port;
  }
  const says = async (front, status, detail) => {
    const page = await front.get('/');
    assert.equal(page.status, status);
    assert.match(page.cache, new RegExp(`detail=${detail}$`));
    const id = /Request (\S+)/.exec(page.text)[1];
    if (status !== 503) await until(() => `the log to name ${id}:\n${front.said}`, () => front.said.includes(`request ${id}`));
  };

  const kinds = {
    'connect-failed': async () => says(await behind((await freePorts(1))[0]), 502, 'connect-failed'),
    'resolve-failed': async () => {
      const front = await Front.start('http://no-such-name.invalid');
      open.push(() => front.stop());
      await says(front, 502, 'resolve-failed');
    },
    'origin-closed': async () => says(await behind(await raw((s) => s.once('data', () => s.end('HTTP/1.1 200 OK\r\nContent-')))), 502, 'origin-closed'),
    'origin-invalid': async () => says(await behind(await raw((s) => s.once('data', () => s.end('HTTP/1.1 OK\r\n\r\n')))), 502, 'origin-invalid'),
    'origin-limit': async () => {
      const front = await behind(await raw((s) => s.once('data', () => s.write(`HTTP/1.1 200 OK\r\nSet-Cookie: a=${'b'.repeat(70000)}\r\n\r\n`))));
      await says(front, 502, 'origin-limit');
      assert.match(front.said, /response_header_bytes/);
    },
    status: async () => {
      const front = await behind(await raw((s) => s.once('data', () => s.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nnginx'))));
      const page = await front.get('/');
      assert.deepEqual([page.status, page.text], [502, 'nginx']);
      assert.match(page.cache, /detail=status$/);
    },
    'first-byte-timeout': async () => says(await behind(await raw(() => {}), ['--first-byte-timeout', '100ms']), 504, 'first-byte-timeout'),
    'connect-timeout': async () => says(await behind(await asleep(), ['--connect-timeout', '100ms']), 504, 'connect-timeout'),
    'origin-queue-full': async () => {
      const front = await behind(await raw(() => {}), ['--origin-connections', '1', '--origin-queue', '1']);
      const others = ['/1', '/2'].map((path) => front.get(path).catch(() => {}));
      await until('two requests to wait', async () => {
        const { text: metrics } = await ask(front.adminPort, '/metrics');
        return /^freshet_origin_waiting\S* 1$/m.test(metrics);
      });
      await says(front, 503, 'origin-queue-full');
      open.push(() => Promise.all(others));
    },
    'origin-queue-timeout': async () => {
      const front = await behind(await raw(() => {}), ['--origin-connections', '1', '--queue-timeout', '100ms']);
      const other = front.get('/1').catch(() => {});
      await until('a request to hold the connection', async () => /^freshet_origin_in_use\S* 1$/m.test((await ask(front.adminPort, '/metrics')).text));
      await says(front, 503, 'origin-queue-timeout');
      open.push(() => other);
    },
    'origin-drained': async () => {
      const port = await raw((s) => s.once('data', () => s.end('HTTP/1.1 200 OK\r\n\r\nx')));
      const front = await behind(port);
      const drained = await ask(front.adminPort, '/api/v1/origins/drain', { method: 'POST', body: JSON.stringify({ origin: `http://127.0.0.1:${port}`, force: true }),
        headers: { Authorization: `Bearer ${front.token}`, 'Content-Type': 'application/json' } });
      assert.equal(drained.status, 200, drained.text);
      await says(front, 503, 'origin-drained');
    },
    'gave-way': async () => {
      const front = await behind(await raw(() => {}), ['--origin-connections', '1', '--origin-queue', '1']);
      const waiting = (n) => until(`${n} requests to wait`, async () =>
        new RegExp(`^freshet_origin_waiting\\S* ${n}$`, 'm').test((await ask(front.adminPort, '/metrics')).text));
      const others = [front.get('/1').catch(() => {})];
      await until('a request to hold the connection', async () => /^freshet_origin_in_use\S* 1$/m.test((await ask(front.adminPort, '/metrics')).text));
      const ahead = front.get('/ahead', { headers: { 'Sec-Purpose': 'prefetch' } });
      await waiting(1);
      others.push(front.get('/2').catch(() => {}));
      const page = await ahead;
      assert.equal(page.status, 503);
      assert.match(page.cache, /detail=gave-way$/);
      open.push(() => Promise.all(others));
    },
  };

  test('each line of the table is tried', () => assert.deepEqual(rows('Why a 502, 503 or 504?'), Object.keys(kinds)));
  for (const [name, kind] of Object.entries(kinds)) test(name, kind);

  test('a page that breaks off in the middle', async () => {
    const front = await behind(await raw((s) => s.once('data', () => s.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'))));
    const status = await run('curl', ['-s', `http://127.0.0.1:${front.port}/`], {}, () => {}).done;
    assert.ok(status === 18 || status === 56, `curl ${status}`);
    await until(() => `the warning:\n${front.said}`, () => /closed the connection before its answer was whole/.test(front.said));
  });
});

describe('the commands', () => {
  let shell, site, freshet;
  let said = '';

  before(async () => {
    shell = await Shell.open(3000);
    site = createServer((request, response) => response.setHeader('CDN-Cache-Control', request.url === '/never' ? 'no-store' : 'max-age=60')
      .end(`${request.headers.host} ${request.url}`));
    await new Promise((resolve) => site.listen(shell.ports[3000], '127.0.0.1', resolve));
    const [, ...args] = shell.here(block(section('Several sites behind one name'), 'sh')).trim().split(' ');
    freshet = run(FRESHET, [...args, '--access-log', 'access.log'], { cwd: shell.folder, env: shell.env }, (d) => (said += d));
    await until(() => `freshet: ${said}`, () => said.includes('site default'));
  });
  after(async () => {
    if (freshet) await end(freshet);
    site.closeAllConnections();
    site.close();
    shell.close();
  });
  const records = (name = 'access.log') => (existsSync(join(shell.folder, name)) ? readFileSync(join(shell.folder, name), 'utf8').trim().split('\n').filter(Boolean).map(JSON.parse) : []);

  test('Cache-Status, explain, status, purges', async () => {
    const look = block(section('Why is my page not cached?'), 'sh');
    assert.match((await shell.run(look)).out, /fwd=uri-miss; stored/);
    assert.match((await shell.run(look)).out, /; hit; ttl=/);
    const [explain, log] = blocks(section('What is cached?'), 'sh');
    assert.match((await shell.run(explain)).out, /answer +hit[^]*pages +1 stored/);
    assert.match((await shell.run(block(section('Why is it old?'), 'sh'))).out, /^purged site default: URL \S+ \(sequence \d+\)\npurged site default: everything/);
    assert.match((await shell.run(look)).out, /fwd=uri-miss; stored/);
    for (let i = 0; i < 3; i++) await shell.run('curl -s http://127.0.0.1:8080/never');
    await until('the access log', () => records().length === 6);
    assert.equal((await shell.run(log)).out, '1\n      3 /never\n      2 /\n');
    assert.match((await shell.run(block(section('Why a 502, 503 or 504?'), 'sh'))).out, /^HTTP\/1.1 200/);
    assert.match((await shell.run('curl -si http://127.0.0.1:3000/')).out, /^HTTP\/1.1 200/);
  });

  test('metrics, where Prometheus looks for them', async () => {
    const target = /targets: \["([^"]+)"\]/.exec(shell.here(block(section('Prometheus'), 'yaml')))[1];
    const { out } = await shell.run(`curl -sf http://${target}/metrics`);
    for (const [name] of block(section('Prometheus'), '').matchAll(/freshet_\w+/g)) assert.match(out, new RegExp(`^# TYPE ${name} counter$`, 'm'));
    for (const line of out.trim().split('\n')) assert.match(line, /^(# (HELP|TYPE) \S+ .+|[a-z_][a-z0-9_]*(\{[^}]*\})? [\d.e+]+)$/);
  });

  test('rotation', { skip: !existsSync('/usr/sbin/logrotate') && 'logrotate is not installed' }, async () => {
    const log = join(shell.folder, 'access.log');
    writeFileSync(join(shell.folder, 'rotate.conf'), change(block(section('Log rotation'), ''), ['/var/log/freshet/access.log', log],
      ['systemctl kill -s USR1 freshet.service', `kill -USR1 ${freshet.pid}`]), { mode: 0o644 });
    await shell.run('curl -s http://127.0.0.1:8080/before');
    await until('a record', () => records().some(({ url }) => url === '/before'));
    const done = spawnSync('/usr/sbin/logrotate', ['--force', '--state', join(shell.folder, 'rotated'), join(shell.folder, 'rotate.conf')], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    await until('a new file', () => existsSync(log));
    await shell.run('curl -s http://127.0.0.1:8080/after');
    await until('a record in the new file', () => records().some(({ url }) => url === '/after'));
    assert.ok(records('access.log.1').some(({ url }) => url === '/before'));
  });
});

test('several sites behind one name', { skip: !existsSync('/usr/sbin/nginx') && 'nginx is not installed' }, async () => {
  const shell = await Shell.open(3000, 3001, 3002);
  const sites = [];
  for (const port of [3001, 3002]) {
    const server = createServer((request, response) => response.setHeader('CDN-Cache-Control', 'max-age=60').setHeader('Cache-Tag', 'all').end(`${port} for ${request.headers.host}`));
    await new Promise((resolve) => server.listen(shell.ports[port], '127.0.0.1', resolve));
    sites.push(server);
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => {
    mkdirSync(join(shell.folder, what));
    return `${what}_temp_path ${join(shell.folder, what)};\n`;
  });
  writeFileSync(join(shell.folder, 'nginx.conf'), `daemon off;\nmaster_process off;\npid ${shell.folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${
    temporary.join('')}${shell.here(block(section('Several sites behind one name'), 'nginx'))}}\n`);
  let said = '';
  const nginx = run('/usr/sbin/nginx', ['-p', shell.folder, '-c', join(shell.folder, 'nginx.conf')], {}, (d) => (said += d));
  await until(() => `nginx\n${said}`, () => ask(shell.ports[3000], '/').then((r) => r.status === 200, () => false));
  const front = await Front.start(`http://127.0.0.1:${shell.ports[3000]}`);
  const host = `127.0.0.1:${front.port}`;
  for (const [path, port] of [['/', 3001], ['/blog/a', 3002]]) {
    assert.equal((await front.miss(path)).text, `${port} for ${host}`);
    await front.hit(path);
  }
  assert.equal((await front.get('/blog')).headers.location, '/blog/'); // and not nginx's own port
  assert.equal((await fetch(`${front.admin}/api/v1/purge`, { method: 'POST', headers: { Authorization: `Bearer ${front.token}` }, body: '{"cache_tags": ["all"]}' })).status, 202);
  for (const path of ['/', '/blog/a']) await front.miss(path);
  await front.stop();
  await end(nginx);
  for (const server of sites) (server.closeAllConnections(), server.close());
  shell.close();
});
