// What scenarios with TLS are made of: certificates, and clients that show what a handshake found.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Raw } from './lib.mjs';

// Makes NAME.pem and NAME.key for these host names; returns the flags that name them.
export function certificate(name, hosts, { rsa = false, days = 90 } = {}) {
  const type = rsa ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', '-newkey', ...type, '-nodes', '-days', String(days), '-subj', `/CN=${name}`,
    '-addext', `subjectAltName=${hosts.map((h) => (h.startsWith('IP:') ? h : `DNS:${h}`)).join()}`, '-keyout', `${name}.key.new`, '-out', `${name}.pem.new`], { stdio: 'pipe' });
  for (const end of ['key', 'pem']) fs.renameSync(`${name}.${end}.new`, `${name}.${end}`);
  return ['--cert', path.resolve(`${name}.pem`), '--key', path.resolve(`${name}.key`)];
}

export const address = `unix:${path.resolve('https')}`;

// A connection with TLS; `socket` is node's, so socket.getCipher() and the like are there.
export class Secure extends Raw {
  constructor(options = {}) {
    const { host = 'test', ...rest } = options;
    super(tls.connect({ path: 'https', servername: host, rejectUnauthorized: false, ...rest }));
    this.error = null;
    this.socket.on('error', (e) => (this.error = e));
    this.socket.on('session', (s) => (this.session = s));
    this.shaken = new Promise((resolve) => {
      this.socket.on('secureConnect', () => resolve(true));
      this.socket.on('close', () => resolve(false));
    });
  }

  // Of the certificate that came: its first name and the kind of its key.
  get name() {
    return this.socket.getPeerCertificate().subject?.CN;
  }
}

// Shakes hands and leaves in peace: what was found, or the error.
export async function hands(options) {
  const c = new Secure(options);
  const done = await c.shaken;
  const found = done ? { name: c.name, version: c.socket.getProtocol(), protocol: c.socket.alpnProtocol, suite: c.socket.getCipher().name,
    resumed: c.socket.isSessionReused() } : { error: String(c.error?.code ?? c.error) };
  c.socket.end();
  await c.closed();
  return found;
}

// The bytes that a client begins with.
export function hello() {
  return new Promise((resolve) => {
    const server = net.createServer((s) => s.once('data', (d) => (s.destroy(), server.close(), resolve(d)))).listen(0, '127.0.0.1', () =>
      tls.connect({ host: '127.0.0.1', port: server.address().port, servername: 'test' }).on('error', () => {}));
  });
}

const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
const new_key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// Makes an authority: NAME.pem and NAME.key. Returns the path of its certificate.
export function authority(name, days = 90) {
  openssl('req', '-x509', ...new_key, '-days', String(days), '-subj', `/CN=${name}`, '-addext', 'keyUsage=keyCertSign', '-keyout', `${name}.key`, '-out', `${name}.pem`);
  return path.resolve(`${name}.pem`);
}

// Makes NAME.pem and NAME.key, signed by the authority `ca`, for these names ("DNS:a.test", "IP:127.0.0.1"); `chain`: the authority's own certificate
// stands behind it. Returns options for node's TLS.
export function signed(name, ca, names, { days = 90, chain = false } = {}) {
  fs.writeFileSync(`${name}.ext`, names.length ? `subjectAltName=${names.join()}\n` : 'basicConstraints=CA:FALSE\n');
  openssl('req', ...new_key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', String(days), '-extfile', `${name}.ext`,
    '-out', `${name}.pem`);
  const cert = fs.readFileSync(`${name}.pem`, 'utf8') + (chain ? fs.readFileSync(`${ca}.pem`, 'utf8') : '');
  return { cert, key: fs.readFileSync(`${name}.key`, 'utf8') };
}
