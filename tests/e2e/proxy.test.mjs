// docs/guides/behind-a-proxy.md as it stands there: its freshet.yaml, its Caddyfile, its server of nginx, with other ports, a
// certificate of our own, and names of folders. A proxy that is not installed is skipped: `apt-get install caddy nginx`
// brings both; nothing else needs them.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import https from 'node:https';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { FRESHET, REPOSITORY, freePorts, temporaryFolder, until } from './lib/world.mjs';

const guide = readFileSync(join(REPOSITORY, 'docs/guides/behind-a-proxy.md'), 'utf8');
const block = (language) => new RegExp('```' + language + '\n([^]*?)```').exec(guide)[1];
const path = (name) =>
  spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin; command -v ${name}`], { encoding: 'utf8' }).stdout.trim();

// Replaces what must be there.
const change = (text, ...pairs) =>
  pairs.reduce((all, [from, to]) => {
    assert.ok(all.includes(from), `the guide says "${from}" no more`);
    return all.replaceAll(from, to);
  }, text);

// What a visitor may not say. All of these came through some proxy in the wild, and some framework believes each.
const untrusted = ['Forwarded', 'X-Forwarded-Port', 'X-Forwarded-Server', 'X-Forwarded-Prefix', 'X-Forwarded-Scheme',
  'X-Forwarded-Ssl', 'X-Forwarded-Uri', 'X-Host', 'X-Real-IP', 'X-Original-Host', 'X-Original-URL', 'X-Rewrite-Path',
  'X-Rewrite-URL', 'X-HTTP-Method', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Now-Route-Matches', 'X-Country'];
// Of the families that Caddy removes whole.
const families = ['X-Original-Foo', 'X-Rewrite-Foo', 'Netlify-Foo', 'X-Freshet-Foo', 'X-HTTP-Method-Foo'];

class Place {
  constructor() {
    this.folder = temporaryFolder();
    this.children = [];
    this.said = '';
    this.heard = []; // what reached the site
  }

  async start(proxy) {
    [this.port, this.front, this.admin] = await freePorts(3);
    await this.startSite();
    const site = this.site.address().port;
    this.write('freshet.yaml', change(block('yaml'), [':8080', `:${this.front}`], [':4321', `:${site}`]) +
      `admin: 127.0.0.1:${this.admin}\ntoken: token-of-the-tests\n`);
    this.run(FRESHET, 'run', join(this.folder, 'freshet.yaml'), '--state', join(this.folder, 'state'));
    const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
      '-days', '2', '-subj', '/CN=shop.example', '-addext', 'subjectAltName=DNS:shop.example',
      '-keyout', join(this.folder, 'key'), '-out', join(this.folder, 'cert')], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    proxy(this);
    await until(() => `the proxy serves\n${this.said}`, () => this.get('/up').then((r) => r.status === 200, () => false));
  }

  startSite() {
    this.site = createServer((request, response) => {
      this.heard.push(request);
      if (request.url.startsWith('/page')) response.setHeader('CDN-Cache-Control', 'max-age=60');
      if (request.url === '/slow') {
        response.write('first');
        this.finish = () => response.end('last');
      } else if (request.method === 'POST') {
        request.once('data', (first) => response.end(first));
      } else {
        response.end(`page ${this.heard.length}`);
      }
    });
    this.site.on('upgrade', (request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.pipe(socket);
    });
    return new Promise((resolve) => this.site.listen(0, '127.0.0.1', resolve));
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text);
  }

  run(program, ...args) {
    const child = spawn(program, args, { env: { ...process.env, HOME: this.folder, XDG_DATA_HOME: this.folder },
      stdio: ['ignore', 'pipe', 'pipe'] });
    child.done = new Promise((resolve) => child.once('exit', resolve));
    for (const out of [child.stdout, child.stderr]) out.on('data', (d) => (this.said += d));
    this.children.push(child);
  }

  get reach() {
    return { host: '127.0.0.1', localAddress: '127.0.0.2', port: this.port, servername: 'shop.example', rejectUnauthorized: false };
  }

  // One request over TLS.
  get(target, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = https.get({ ...this.reach, path: target, agent: false,
        headers: { Host: `shop.example:${this.port}`, ...headers } }, (response) => {
        let text = '';
        response.on('data', (d) => (text += d));
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      });
      request.on('error', reject);
    });
  }

  async stop() {
    for (const child of this.children.reverse()) {
      child.kill('SIGTERM');
      await child.done;
    }
    this.site?.closeAllConnections();
    this.site?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function caddy(place) {
  place.write('Caddyfile', '{\n\tadmin off\n\tauto_https off\n}\n' + change(block('caddyfile'),
    ['shop.example {', `https://shop.example:${place.port} {\n\ttls ${join(place.folder, 'cert')} ${join(place.folder, 'key')}`],
    ['127.0.0.1:8080', `127.0.0.1:${place.front}`]));
  place.run(path('caddy'), 'run', '--adapter', 'caddyfile', '--config', join(place.folder, 'Caddyfile'));
}

function nginx(place) {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => {
    mkdirSync(join(place.folder, what));
    return `${what}_temp_path ${join(place.folder, what)};\n`;
  });
  place.write('nginx.conf', `daemon off;\nmaster_process off;\npid ${join(place.folder, 'pid')};\nerror_log stderr;\nevents {}\nhttp {\n` +
    `access_log off;\n${temporary.join('')}${change(block('nginx'), ['listen 443', `listen 127.0.0.1:${place.port}`],
      ['127.0.0.1:8080', `127.0.0.1:${place.front}`], ['/etc/ssl/shop.example.pem', join(place.folder, 'cert')],
      ['/etc/ssl/shop.example.key', join(place.folder, 'key')])}}\n`);
  place.run(path('nginx'), '-p', place.folder, '-c', join(place.folder, 'nginx.conf'));
}

for (const [name, start] of Object.entries({ caddy, nginx })) {
  if (!path(name) || !path('openssl')) {
    test(`freshet behind ${name}`, { skip: `${name} or openssl is not installed` }, () => {});
    continue;
  }
  describe(`freshet behind ${name}`, { timeout: 60_000 }, () => {
    const place = new Place();
    after(() => place.stop());

    test('starts as the guide says', () => place.start(start));

    test('no field that a visitor writes reaches the site', async () => {
      const evil = [...untrusted, ...(name === 'caddy' ? families : [])];
      await place.get('/fields', Object.fromEntries([...evil, 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto']
        .map((field) => [field, 'evil'])));
      const { headers } = place.heard.at(-1);
      assert.doesNotMatch(JSON.stringify(headers), /evil/);
      assert.equal(headers['x-forwarded-for'], '127.0.0.2, 127.0.0.1'); // the visitor, the proxy
      assert.equal(headers['x-forwarded-proto'], 'https');
      assert.equal(headers['x-forwarded-host'], `shop.example:${place.port}`);
      assert.equal(headers.host, `shop.example:${place.port}`);
    });

    test('nor does one that he has listed in Connection', async () => {
      await place.get('/connection', { Connection: 'close, X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto' });
      const { headers } = place.heard.at(-1);
      assert.equal(headers['x-forwarded-for'], '127.0.0.2, 127.0.0.1'); // the visitor, the proxy
      assert.equal(headers['x-forwarded-proto'], 'https');
      assert.equal(headers['x-forwarded-host'], `shop.example:${place.port}`);
    });

    test('the site is asked for pages without a coding, whatever the proxy and the visitor take', async () => {
      await place.get('/plain');
      assert.equal(place.heard.at(-1).headers['accept-encoding'], 'identity');
      await place.get('/coded', { 'Accept-Encoding': 'gzip' });
      assert.equal(place.heard.at(-1).headers['accept-encoding'], 'identity');
    });

    test('a page is a hit by HTTP/2, and purged and explained by the URL that visitors see', async () => {
      const url = `https://shop.example:${place.port}/page`;
      const verb = (...args) => {
        const ran = spawnSync(FRESHET, [...args, '--state', join(place.folder, 'state'), '--token', 'token-of-the-tests'],
          { encoding: 'utf8' });
        assert.equal(ran.status, 0, ran.stderr);
        return ran.stdout;
      };
      const first = await place.get('/page');
      const session = connectHttp2(`https://127.0.0.1:${place.port}`, place.reach);
      const head = await new Promise((resolve, reject) => {
        session.on('error', reject);
        session.request({ ':path': '/page', ':authority': `shop.example:${place.port}` }).on('response', resolve).on('error', reject)
          .resume();
      });
      session.close();
      assert.match(head['cache-status'], /^freshet; hit; ttl=\d+$/);
      assert.match(verb('explain', url), /answer +hit:/);
      assert.equal(verb('purge', '--url', url), `purged site default: URL ${url} (sequence 2)\n`);
      const next = await place.get('/page');
      assert.match(next.headers['cache-status'], /stored/);
      assert.notEqual(next.text, first.text);
    });

    test('the first bytes of a page come while the site still writes', async () => {
      const text = await new Promise((resolve, reject) => {
        https.get({ ...place.reach, path: '/slow', agent: false, headers: { Host: `shop.example:${place.port}` } }, (response) => {
          let all = '';
          response.on('data', (d) => {
            if (all === '') place.finish();
            all += d;
          });
          response.on('end', () => resolve(all));
        }).on('error', reject);
      });
      assert.equal(text, 'firstlast');
    });

    test('the first bytes of an upload reach the site while the visitor still writes', async () => {
      const text = await new Promise((resolve, reject) => {
        const request = https.request({ ...place.reach, path: '/upload', method: 'POST', agent: false,
          headers: { Host: `shop.example:${place.port}`, 'Content-Length': '100000' } }, (response) => {
          response.once('data', (d) => resolve(String(d)));
        });
        request.on('error', reject);
        request.write('first');
        after(() => request.destroy());
      });
      assert.equal(text, 'first');
    });

    test('a WebSocket goes through', async () => {
      const socket = connectTls({ ...place.reach, ALPNProtocols: ['http/1.1'] });
      after(() => socket.destroy());
      let text = '';
      socket.on('data', (d) => (text += d));
      socket.write(`GET /socket HTTP/1.1\r\nHost: shop.example:${place.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
      await until('101', () => / 101 /.test(text));
      socket.write('echoed');
      await until('the echo', () => text.endsWith('echoed'));
    });
  });
}
