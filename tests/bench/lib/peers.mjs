// How each server under measurement is started. A peer is { title, version(), start(options) }; start gives a Server with the port
// of its cache, `plain`, the port of its plain proxy, where it has one, and for freshet `admin`.
//
// Options: origin (port), cores ("0" or "0,1"), workers, folder (ours, emptied), response (a file: what the bare servers answer),
// memory (freshet's, "256M"), flags (freshet's, more of them), files: path to bytes of a body (H2O's), tls: whether it speaks TLS 1.3
// with HTTP/1.1 and HTTP/2 as well, at the port `tls` of the Server, with the same certificate as all others.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { certificate } from './certificate.mjs';
import { freePort } from './port.mjs';
import { Server } from './server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
export const repository = path.resolve(here, '../../..');
export const programs = path.join(repository, 'build-bench/tests/bench');
export const freshetProgram = process.env.FRESHET ?? path.join(repository, 'build/freshet');

// A file of ../peers with its @NAMES@ filled in, in the server's folder.
function configure(folder, name, values) {
  const text = fs.readFileSync(path.join(here, '../peers', name), 'utf8').replace(/@(\w+)@/g, (_, k) => {
    if (values[k] === undefined) throw new Error(`${name}: no value for ${k}`);
    return values[k];
  });
  const file = path.join(folder, name);
  fs.writeFileSync(file, text);
  return file;
}

function says(command, ...args) {
  const r = spawnSync(command, args, { encoding: 'utf8' });
  return r.error ? undefined : (r.stdout + r.stderr).trim();
}

const first = (pattern, text) => pattern.exec(text ?? '')?.[1];

function bare(program, title, from) {
  return {
    title,
    version: () => `${from()}`,
    async start({ cores, workers, folder, response }) {
      const port = await freePort();
      return Server.start(program, [path.join(programs, program), `${port}`, response, `${workers}`], { port, cores, folder });
    },
  };
}

// { port, lines }: `lines` is what a configuration says of TLS, made by `write` of the port and the certificate's files.
async function withTls(wanted, folder, write) {
  if (!wanted) return { lines: '' };
  const port = await freePort();
  return { port, lines: write(port, certificate(folder)) };
}

// Varnish logs each step of a request into memory, for varnishlog; the access log of others is off, so is this.
const vslMask = ['Begin', 'End', 'Link', 'SessOpen', 'SessClose', 'Timestamp', 'ReqStart', 'ReqMethod', 'ReqURL', 'ReqProtocol', 'ReqHeader',
  'ReqUnset', 'ReqAcct', 'RespProtocol', 'RespStatus', 'RespReason', 'RespHeader', 'RespUnset', 'BereqMethod', 'BereqURL', 'BereqProtocol',
  'BereqHeader', 'BereqUnset', 'BereqAcct', 'BerespProtocol', 'BerespStatus', 'BerespReason', 'BerespHeader', 'BerespUnset', 'BackendOpen',
  'BackendClose', 'VCL_call', 'VCL_return', 'VCL_use', 'Hit', 'HitMiss', 'HitPass', 'Length', 'Filters', 'Fetch_Body', 'Storage', 'TTL', 'BackendReuse']
  .map((tag) => `-${tag}`).join(',');

export const peers = {
  bare: bare('bare_epoll', 'bare epoll', () => `${says('cc', '--version').split('\n')[0]}`),
  uring: bare('bare_uring', 'bare io_uring', () => `liburing ${says('pkg-config', '--modversion', 'liburing')}`),

  freshet: {
    title: 'freshet',
    version: () => `${first(/(\d\S*)/, says(freshetProgram, 'version'))}, ${says('git', '-C', repository, 'rev-parse', '--short', 'HEAD')}`,
    async start({ origin, cores, workers, folder, memory = '256M', flags = [], tls: wanted }) {
      const port = await freePort(), admin = await freePort();
      const tls = await withTls(wanted, folder, (p, { cert, key }) => `https: ["127.0.0.1:${p}"]\ncert: "${cert}"\nkey: "${key}"`);
      const config = configure(folder, 'freshet.yaml',
        { ORIGIN: origin, PORT: port, ADMIN: admin, WORKERS: workers, FOLDER: folder, MEMORY: memory, TLS: tls.lines });
      const s = await Server.start('freshet', [freshetProgram, 'run', config, ...flags], { port, cores, folder,
        // Its port is tried for a moment before it is opened for good.
        ready: (_, server) => fs.readFileSync(server.log, 'utf8').includes('listening on') });
      return Object.assign(s, { plain: port, admin, tls: tls.port });
    },
  },

  // The same where the kernel does not allow io_uring, as in many containers.
  freshet_epoll: {
    title: 'freshet, io: epoll',
    version: () => peers.freshet.version(),
    start: (options) => peers.freshet.start({ ...options, flags: [...(options.flags ?? []), '--io', 'epoll'] }),
  },

  nginx: {
    title: 'nginx proxy_cache',
    version: () => first(/nginx\/(\S+)/, says('/usr/sbin/nginx', '-v')),
    async start({ origin, cores, workers, folder, tls: wanted }) {
      const port = await freePort(), plain = await freePort();
      const tls = await withTls(wanted, folder, (p, { cert, key }) => `listen 127.0.0.1:${p} ssl http2 reuseport backlog=16384;
        ssl_certificate ${cert};
        ssl_certificate_key ${key};
        ssl_protocols TLSv1.3;`);
      const config = configure(folder, 'nginx.conf', { ORIGIN: origin, PORT: port, PLAIN: plain, WORKERS: workers, FOLDER: folder, TLS: tls.lines });
      const s = await Server.start('nginx', ['/usr/sbin/nginx', '-p', folder, '-c', config], { port, cores, folder });
      return Object.assign(s, { plain, tls: tls.port });
    },
  },

  haproxy: {
    title: 'HAProxy cache',
    version: () => first(/version (\S+)/, says('/usr/sbin/haproxy', '-v')),
    async start({ origin, cores, workers, folder, tls: wanted }) {
      const port = await freePort(), plain = await freePort();
      const tls = await withTls(wanted, folder, (p, { pem }) =>
        `bind 127.0.0.1:${p} backlog 16384 shards by-thread ssl crt ${pem} alpn h2,http/1.1 ssl-min-ver TLSv1.3`);
      const config = configure(folder, 'haproxy.cfg', { ORIGIN: origin, PORT: port, PLAIN: plain, WORKERS: workers, TLS: tls.lines });
      const s = await Server.start('haproxy', ['/usr/sbin/haproxy', '-db', '-f', config], { port, cores, folder });
      return Object.assign(s, { plain, tls: tls.port });
    },
  },

  varnish: {
    title: 'Varnish',
    version: () => first(/varnish-(\d\S*)/, says('/usr/sbin/varnishd', '-V')),
    async start({ origin, cores, workers, folder, memory = '256M' }) {
      const port = await freePort();
      const vcl = configure(folder, 'varnish.vcl', { ORIGIN: origin });
      // One pool a core; threads enough for every connection from the start, so that none is made while we measure.
      return Server.start('varnish', ['/usr/sbin/varnishd', '-F', '-j', 'none', '-n', path.join(folder, 'varnish'), '-f', vcl, '-a', `127.0.0.1:${port}`,
        '-s', `malloc,${memory}`, '-t', '3600', '-p', `thread_pools=${workers}`, '-p', 'thread_pool_min=600', '-p', 'thread_pool_max=1000',
        '-p', 'listen_depth=16384', '-p', 'timeout_idle=600', '-p', `vsl_mask=${vslMask}`], { port, cores, folder });
    },
  },

  ats: {
    title: 'Traffic Server',
    version: () => first(/(\d+\.\d+\.\d+)/, says('/usr/bin/traffic_server', '-V')),
    async start({ origin, cores, workers, folder }) {
      const port = await freePort(), root = path.join(folder, 'ats'), at = (d) => path.join(root, d);
      for (const d of ['etc', 'log', 'run', 'cache', 'var']) fs.mkdirSync(at(d), { recursive: true });
      fs.writeFileSync(path.join(root, 'runroot.yaml'), `prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\n` +
        `sysconfdir: ${at('etc')}\ndatadir: ${at('cache')}\nincludedir: /usr/include\nlibdir: /usr/lib/trafficserver\n` +
        `libexecdir: /usr/lib/trafficserver/modules\nlocalstatedir: ${at('var')}\nruntimedir: ${at('run')}\nlogdir: ${at('log')}\ncachedir: ${at('cache')}\n`);
      // It refuses to be root.
      const user = process.getuid() === 0 ? 'trafficserver' : '#-1';
      fs.renameSync(configure(folder, 'ats-records.config', { PORT: port, WORKERS: workers, USER: user }), at('etc/records.config'));
      fs.writeFileSync(at('etc/storage.config'), `${at('cache')} 512M\n`);
      fs.writeFileSync(at('etc/remap.config'), `map / http://127.0.0.1:${origin}/\n`);
      fs.copyFileSync('/etc/trafficserver/ip_allow.yaml', at('etc/ip_allow.yaml'));
      for (const f of ['plugin.config', 'cache.config', 'hosting.config', 'volume.config', 'parent.config', 'ssl_multicert.config', 'splitdns.config',
        'socks.config']) fs.writeFileSync(at(`etc/${f}`), '');
      for (const f of ['logging.yaml', 'sni.yaml', 'strategies.yaml']) fs.copyFileSync(`/etc/trafficserver/${f}`, at(`etc/${f}`));
      if (user === 'trafficserver') execFileSync('chown', ['-R', 'trafficserver', root]);
      return Server.start('ats', ['/usr/bin/traffic_server', `--run-root=${path.join(root, 'runroot.yaml')}`], { port, cores, folder });
    },
  },

  h2o: {
    title: 'H2O static files',
    version: () => first(/version (\S+)/, says('/usr/bin/h2o', '--version')),
    async start({ cores, workers, folder, files = {}, tls: wanted }) {
      const port = await freePort();
      const tls = await withTls(wanted, folder, (p, { cert, key }) =>
        `listen:\n  host: 127.0.0.1\n  port: ${p}\n  ssl:\n    certificate-file: ${cert}\n    key-file: ${key}`);
      for (const [name, bytes] of Object.entries(files)) {
        const file = path.join(folder, 'files', name);
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, Buffer.alloc(bytes, 'x'));
      }
      const config = configure(folder, 'h2o.conf', { PORT: port, WORKERS: workers, FOLDER: folder, USER: os.userInfo().username, TLS: tls.lines });
      const s = await Server.start('h2o', ['/usr/bin/h2o', '-c', config], { port, cores, folder });
      return Object.assign(s, { tls: tls.port });
    },
  },
};

// The limit of the tables with TLS; no other table has it. Of HTTP/1.1 and HTTP/2, as the client asks.
export const bareTls = {
  title: 'bare',
  async start({ cores, folder, response }) {
    const port = await freePort();
    const s = await Server.start('bare_tls', [path.join(programs, 'bare_tls'), `${port}`, response, certificate(folder).pem], { port, cores, folder });
    return Object.assign(s, { tls: port });
  },
};

// `flags`: those of a freshet that asks it with TLS.
export async function startOrigin({ cores, folder }) {
  const port = await freePort(), secure = await freePort(), cert = path.join(folder, 'origin.pem'), key = path.join(folder, 'origin.key');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', '/CN=bench',
    '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'pipe' });
  const s = await Server.start('origin', [path.join(programs, 'origin'), `${port}`, `${secure}`, cert, key], { port, cores, folder });
  return Object.assign(s, { flags: ['--origin', `https://127.0.0.1:${secure}`, '--origin-ca', cert] });
}
