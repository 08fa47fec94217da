// What scenarios with ACME are made of: names that lead to this machine, a CA (Debian's pebble), and the way from its questions to freshet's sockets.
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { soon } from './lib.mjs';

// Makes ca-server.pem and .key, with which a CA's own server shows itself, and which freshet is told to believe.
export function server_certificate() {
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650', '-subj', '/CN=ca',
    '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', 'ca-server.key', '-out', 'ca-server.pem'], { stdio: 'pipe' });
  return path.resolve('ca-server.pem');
}

// A port that leads to a Unix socket of freshet's, for as long as the test runs, or to another in `to`. `open` false: who comes is hung up on. `held`: a promise
// that who comes waits for.
export function door(socket) {
  const self = { open: true, visitors: 0, to: socket };
  const server = net.createServer(async (s) => {
    self.visitors++;
    s.on('error', () => {});
    await self.held;
    if (!self.open) {
      s.destroy();
      return;
    }
    const to = net.connect(self.to);
    to.on('error', () => s.destroy());
    s.pipe(to).pipe(s);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(Object.assign(self, { port: server.address().port }))));
}

// A name server: each name is this machine; `texts` has TXT records by name. `hold`, of what is returned: a function of a name, whose promise is waited for.
export function names(texts = new Map()) {
  const self = { texts };
  const server = dgram.createSocket('udp4');
  server.on('message', async (m, from) => {
    let at = 12;
    const labels = [];
    for (let n; (n = m[at]) > 0; at += n + 1) labels.push(m.toString('latin1', at + 1, at + 1 + n));
    await self.hold?.(labels.join('.').toLowerCase());
    const type = m.readUInt16BE(at + 1);
    const question = m.subarray(12, at + 5);
    const record = (data) => Buffer.concat([Buffer.from([0xc0, 12, type >> 8, type & 255, 0, 1, 0, 0, 0, 1, data.length >> 8, data.length & 255]), data]);
    const answers = type === 1 ? [record(Buffer.from([127, 0, 0, 1]))]
      : type === 16 ? (texts.get(labels.join('.').toLowerCase()) ?? []).map((t) => record(Buffer.concat([Buffer.from([t.length]), Buffer.from(t)]))) : [];
    const head = Buffer.from([m[0], m[1], 0x81, 0x80, 0, 1, 0, answers.length, 0, 0, 0, 0]);
    server.send(Buffer.concat([head, question, ...answers]), from.port, from.address);
  });
  return new Promise((resolve) => server.bind(0, '127.0.0.1', () => resolve(Object.assign(self, { port: server.address().port, server }))));
}

function get(url) {
  return new Promise((resolve, reject) => {
    https.get(url, { rejectUnauthorized: false, agent: false }, (r) => {
      let text = '';
      r.setEncoding('utf8').on('data', (d) => (text += d)).on('end', () => resolve({ status: r.statusCode, text }));
    }).on('error', reject);
  });
}

function free_port() {
  const s = net.createServer();
  return new Promise((resolve) => s.listen(0, '127.0.0.1', () => {
    const { port } = s.address();
    s.close(() => resolve(port));
  }));
}

// A running pebble. `orders`: how often it was asked for a certificate.
export class Pebble {
  // `http`, `tls`: ports at which it looks for proofs. `config`: more of its configuration.
  static async start({ http, tls, dns, config = {}, env = {} }) {
    const p = new Pebble();
    p.rules = { http, tls, dns, config, env };
    await p.again(false);
    return p;
  }

  // Somebody else may take a port between our look and its: then others.
  async again(same = true) {
    const { http, tls, dns, config, env } = this.rules;
    for (;;) {
      if (!same) [this.port, this.management] = [await free_port(), await free_port()];
      fs.writeFileSync('pebble.json', JSON.stringify({ pebble: { listenAddress: `127.0.0.1:${this.port}`, managementListenAddress: `127.0.0.1:${this.management}`,
        certificate: path.resolve('ca-server.pem'), privateKey: path.resolve('ca-server.key'), httpPort: http, tlsPort: tls ?? 1, ocspResponderURL: '',
        externalAccountBindingRequired: false, ...config } }));
      const log = fs.openSync('pebble.log', 'a');
      const child = spawn('pebble', ['-config', 'pebble.json', '-dnsserver', `127.0.0.1:${dns}`],
        { stdio: ['ignore', log, log], env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', ...env } });
      fs.closeSync(log);
      this.child = child;
      this.ended = false;
      child.on('exit', () => (this.ended = true));
      process.on('exit', () => child.kill());
      await soon(async () => this.ended || (await get(this.directory).then((r) => r.status === 200, () => false)));
      if (!this.ended) break;
      if (same) throw new Error(`pebble does not start again:\n${this.log()}`);
    }
  }

  get directory() {
    return `https://127.0.0.1:${this.port}/dir`;
  }

  log() {
    return fs.readFileSync('pebble.log', 'utf8');
  }

  // How many orders it has had.
  get orders() {
    return (this.log().match(/Added order/g) ?? []).length;
  }

  async root() {
    return (await get(`https://127.0.0.1:${this.management}/roots/0`)).text;
  }

  // What it says of a certificate by its serial number: "Valid", "Revoked".
  async standing(serial) {
    const r = await get(`https://127.0.0.1:${this.management}/cert-status-by-serial/${serial.toLowerCase()}`);
    return r.status === 200 ? JSON.parse(r.text) : { Status: r.status };
  }

  async stop() {
    if (this.ended) return;
    this.child.kill();
    await soon(() => this.ended);
  }
}

// A CA that does what the test wants: `asked` has what came, [what, payload] each; a member of `on` answers in place of the usual, with {status, fields, body}
// (JSON, or a string) or a promise of it. It asks for no proof, and believes every signature.
export class FakeCa {
  constructor() {
    this.asked = [];
    this.on = {};
    this.orders = [];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650', '-subj', '/CN=fake',
      '-keyout', 'fake.key', '-out', 'fake.pem'], { stdio: 'pipe' });
  }

  count(what) {
    return this.asked.filter(([w]) => w === what).length;
  }

  // The certificate for a request (PKCS #10, DER in base64url), for 90 days.
  issue(csr) {
    fs.writeFileSync('fake.ext', 'authorityKeyIdentifier=keyid:always\n');
    fs.writeFileSync('fake.csr', Buffer.from(csr, 'base64url'));
    execFileSync('openssl', ['x509', '-req', '-inform', 'DER', '-in', 'fake.csr', '-CA', 'fake.pem', '-CAkey', 'fake.key', '-CAcreateserial', '-days', '90',
      '-copy_extensions', 'copy', '-extfile', 'fake.ext', '-out', 'fake-leaf.pem'], { stdio: 'pipe' });
    return fs.readFileSync('fake-leaf.pem', 'utf8') + fs.readFileSync('fake.pem', 'utf8');
  }

  #usual(what, id, payload) {
    const order = this.orders[id];
    const body = (o) => ({ status: o.status, identifiers: o.identifiers, authorizations: [], finalize: `${this.url}/finalize/${o.id}`,
      certificate: `${this.url}/certificate/${o.id}` });
    switch (what) {
      case 'dir': return { body: Object.fromEntries(['newNonce', 'newAccount', 'newOrder', 'renewalInfo', 'revokeCert'].map((n) => [n, `${this.url}/${n}`])) };
      case 'newNonce': return {};
      case 'newAccount': return { status: 201, fields: { location: `${this.url}/account/1` }, body: { status: 'valid' } };
      case 'newOrder': {
        const o = { id: this.orders.length, status: 'ready', identifiers: payload.identifiers };
        this.orders.push(o);
        return { status: 201, fields: { location: `${this.url}/order/${o.id}` }, body: body(o) };
      }
      case 'order': return { body: body(order) };
      case 'finalize':
        order.pem = this.issue(payload.csr);
        order.status = 'valid';
        return { body: body(order) };
      case 'certificate': return { body: order.pem };
      case 'revokeCert': return {};
      default: return { status: 404, body: {} };
    }
  }

  async start() {
    const server = https.createServer({ key: fs.readFileSync('ca-server.key'), cert: fs.readFileSync('ca-server.pem') }, (q, r) => {
      let text = '';
      q.setEncoding('utf8').on('data', (d) => (text += d)).on('end', async () => {
        const [, what, id] = q.url.split('/');
        const { jwk } = text ? JSON.parse(Buffer.from(JSON.parse(text).protected, 'base64url')) : {};
        if (what === 'newAccount') this.jwk = jwk;
        const payload = text && JSON.parse(text).payload ? JSON.parse(Buffer.from(JSON.parse(text).payload, 'base64url')) : null;
        this.asked.push([what, payload, id]);
        const a = (await this.on[what]?.(payload, id, () => this.#usual(what, id, payload))) ?? this.#usual(what, id, payload);
        r.writeHead(a.status ?? 200, { 'replay-nonce': `n${this.asked.length}`, ...a.fields });
        r.end(typeof a.body === 'string' ? a.body : a.body ? JSON.stringify(a.body) : '');
      });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.url = `https://localhost:${server.address().port}`;
    return this;
  }
}

// One that wants a proof for each name, and has no hurry: who runs the test looks at what freshet shows, and says `believe`.
export class ProvingCa extends FakeCa {
  constructor() {
    super();
    const more = (usual, id) => {
      const a = usual();
      return { ...a, body: { ...a.body, status: this.orders[id].status, authorizations: [`${this.url}/authorization/${id}`] } };
    };
    this.on.newOrder = (_, __, usual) => {
      const a = usual(), id = this.orders.length - 1;
      this.orders[id].status = 'pending';
      return more(() => a, id);
    };
    this.on.order = (_, id, usual) => more(usual, id);
    this.on.authorization = (_, id) => {
      const { identifiers: [identifier], believed } = this.orders[id], status = believed ? 'valid' : 'pending';
      return { body: { status, identifier, challenges: ['http-01', 'tls-alpn-01', 'dns-01'].map((type) =>
        ({ type, status, token: `token${id}`, url: `${this.url}/challenge/${id}` })) } };
    };
    this.on.challenge = (_, id) => (this.orders[id].believed ? { status: 400, body: { type: 'urn:ietf:params:acme:error:malformed',
      detail: 'Cannot update challenge with status valid, only status pending' } } : { body: {} });
  }

  believe(id) {
    Object.assign(this.orders[id], { believed: true, status: 'ready' });
  }

  // What it wants to see: the name, the token, and what shows that they are of one hand (RFC 8555 §8.1), as it is and as a digest.
  proof(id) {
    const { crv, kty, x, y } = this.jwk;
    const sum = (t) => createHash('sha256').update(t).digest();
    const authorization = `token${id}.${sum(JSON.stringify({ crv, kty, x, y })).toString('base64url')}`;
    return { name: this.orders[id].identifiers[0].value, token: `token${id}`, authorization, digest: sum(authorization) };
  }
}
