// A client that says exactly what it is told to and takes one whole answer at a time: for warming, for comparing answers, and
// where an even stream of requests matters more than their number.
import https from 'node:https';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const patience_ms = 30_000;

export class Client {
  // Resolves when the connection stands; tries again while nobody listens yet.
  static async open(port, ms = patience_ms) {
    const end = Date.now() + ms;
    for (;;) {
      const socket = net.connect(port, '127.0.0.1').setNoDelay();
      const error = await new Promise((done) => socket.once('connect', () => done()).once('error', done));
      if (!error) return new Client(socket);
      if (Date.now() > end) throw new Error(`nobody listens on port ${port}: ${error.message}`);
      await pause(20);
    }
  }

  constructor(socket) {
    this.socket = socket;
    this.input = Buffer.alloc(0);
    this.wake = undefined;
    this.over = undefined;
    socket.on('data', (d) => {
      this.input = this.input.length === 0 ? d : Buffer.concat([this.input, d]);
      this.wake?.();
    });
    socket.on('error', (e) => (this.over = e, this.wake?.()));
    socket.on('close', () => (this.over ??= new Error('connection closed'), this.wake?.()));
  }

  async until(look) {
    for (;;) {
      const r = look();
      if (r !== undefined) return r;
      if (this.over) throw this.over;
      await new Promise((done) => (this.wake = done));
    }
  }

  // One request as bytes, its answer: { head (text), headBytes, status, body }.
  async ask(request) {
    this.socket.write(request);
    const headBytes = await this.until(() => {
      const at = this.input.indexOf('\r\n\r\n');
      return at < 0 ? undefined : at + 4;
    });
    const head = this.input.toString('latin1', 0, headBytes);
    const status = +head.slice(9, 12);
    const rest = this.input.subarray(headBytes);
    if (status === 304 || status === 204) return this.take(head, status, headBytes, headBytes);
    const length = /^content-length: *(\d+)/im.exec(head)?.[1];
    if (length !== undefined) {
      await this.until(() => (this.input.length >= headBytes + +length ? true : undefined));
      return this.take(head, status, headBytes, headBytes + +length);
    }
    if (/^transfer-encoding: *chunked/im.test(head)) return this.chunks(head, status, headBytes);
    throw new Error(`an answer without an end: ${head}${rest.length} bytes`);
  }

  take(head, status, from, to) {
    const body = this.input.subarray(from, to);
    this.input = this.input.subarray(to);
    return { head, headBytes: from, status, body };
  }

  async chunks(head, status, headBytes) {
    const parts = [];
    for (let at = headBytes;;) {
      const eol = await this.until(() => {
        const i = this.input.indexOf('\r\n', at);
        return i < 0 ? undefined : i;
      });
      const size = parseInt(this.input.toString('latin1', at, eol), 16);
      const next = eol + 2 + size + 2;
      await this.until(() => (this.input.length >= next ? true : undefined));
      parts.push(this.input.subarray(eol + 2, eol + 2 + size));
      at = next;
      if (size === 0) {
        this.input = this.input.subarray(next);
        return { head, headBytes, status, body: Buffer.concat(parts) };
      }
    }
  }

  close() {
    this.socket.destroy();
  }
}

// One answer on a connection of its own.
export async function ask(port, request) {
  const c = await Client.open(port);
  try {
    return await c.ask(request);
  } finally {
    c.close();
  }
}

// The same over TLS, whoever the server is: { status, headers, body }.
export function askTls(port, target, headers = {}) {
  return new Promise((done, fail) => {
    https.get({ host: '127.0.0.1', port, path: target, headers, rejectUnauthorized: false, agent: false, timeout: patience_ms }, (r) => {
      const parts = [];
      r.on('data', (d) => parts.push(d)).on('end', () => done({ status: r.statusCode, headers: r.headers, body: Buffer.concat(parts) })).on('error', fail);
    }).on('error', fail);
  });
}
