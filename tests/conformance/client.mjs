// The fetch function that the suite's client is given: one request on one new connection, with the fields that node-fetch
// would send, since the suite's results were made with it. Unlike node-fetch it keeps the interim responses, and it gives
// up when no answer comes: a cache that hangs must fail its test, not the run.

import { readFileSync } from 'node:fs';
import { STATUS_CODES, request as httpRequest } from 'node:http';
import { connect as http2Connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { gunzipSync, inflateSync } from 'node:zlib';

const ANSWER_LIMIT_MS = 30000;

let ca;
let byHttp2 = false;

/** From now on requests are made by HTTP/2, a connection each. */
export function useHttp2() {
  byHttp2 = true;
}

/** From now on certificates of that authority are believed, and no others. */
export function trustAuthority(file) {
  ca = readFileSync(file);
}

/** The fields of a message; as with node-fetch, the lines of one name are one value, joined by a comma and a space. */
class Fields {
  #values = new Map();

  constructor(rawHeaders) {
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i].toLowerCase();
      const value = rawHeaders[i + 1];
      this.#values.set(name, this.#values.has(name) ? `${this.#values.get(name)}, ${value}` : value);
    }
  }

  get(name) {
    return this.#values.get(name.toLowerCase()) ?? null;
  }

  has(name) {
    return this.#values.has(name.toLowerCase());
  }

  forEach(visit) {
    this.#values.forEach(visit);
  }

  [Symbol.iterator]() {
    return this.#values[Symbol.iterator]();
  }
}

/**
 * The suite asks for a field that must not have a certain value by `headers[name]`, which on node-fetch's object is always
 * undefined: those checks could not fail. Here they can.
 */
const askableByName = (fields) =>
  new Proxy(fields, {
    get(target, key) {
      if (typeof key === 'string' && !(key in Fields.prototype)) return target.get(key) ?? undefined;
      const member = target[key];
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });

function headOf(url, init, body) {
  const head = ['Host', url.host];
  const given = new Set(init.headers.map(([name]) => name.toLowerCase()));
  const add = (name, value) => given.has(name.toLowerCase()) || head.push(name, value);
  for (const [name, value] of init.headers) head.push(name, String(value));
  add('Accept', '*/*');
  add('User-Agent', 'node-fetch/1.0 (+https://github.com/bitinn/node-fetch)');
  add('Accept-Encoding', 'gzip,deflate');
  if (body.length > 0) {
    add('Content-Type', 'text/plain;charset=UTF-8');
    add('Content-Length', String(body.length));
  }
  add('Connection', 'close');
  return head;
}

/** A body as its chunks come. */
class Body {
  #chunks = [];

  constructor(stream, over) {
    this.whole = new Promise((done, cut) => {
      stream.on('data', (chunk) => this.#chunks.push(chunk));
      stream.on('end', () => done(Buffer.concat(this.#chunks)));
      stream.on('error', cut);
      stream.on('close', () => {
        cut(new Error('the answer was cut off')); // after its end this does nothing
        over();
      });
    });
    this.whole.catch(() => {}); // a body that nobody reads may be cut
  }
}

const responseOf = (status, statusText, raw, interim, body) => ({
  status,
  statusText,
  headers: askableByName(new Fields(raw)),
  interim,
  text: async () => decoded(await body.whole, new Fields(raw).get('content-encoding')).toString(),
});

/** What was asked for in a coding is decoded, as node-fetch does. */
function decoded(bytes, coding) {
  const undo = { gzip: gunzipSync, 'x-gzip': gunzipSync, deflate: inflateSync }[coding];
  return undo && bytes.length > 0 ? undo(bytes) : bytes;
}

const withoutPseudo = (raw) => {
  const out = [];
  for (let i = 0; i < raw.length; i += 2) if (!raw[i].startsWith(':')) out.push(raw[i], raw[i + 1]);
  return out;
};

/** The same by HTTP/2. Field lines stay lines of their own; what is of a connection of HTTP/1.1 has no place there. */
function fetchByHttp2(url, { method, body, head }) {
  return new Promise((resolve, reject) => {
    const fields = { ':method': method, ':path': url.pathname + url.search, ':authority': url.host };
    for (let i = 0; i < head.length; i += 2) {
      const name = head[i].toLowerCase();
      if (name === 'host' || name === 'connection') continue;
      const value = head[i + 1].trim(); // RFC 9113 §8.2.1
      fields[name] = name in fields ? [fields[name], value].flat() : value;
    }
    const session = http2Connect(url.origin, { ca });
    const fail = (error) => {
      clearTimeout(limit);
      session.destroy();
      reject(error);
    };
    const limit = setTimeout(() => fail(new Error(`no complete answer within ${ANSWER_LIMIT_MS / 1000} s`)), ANSWER_LIMIT_MS);
    session.on('error', fail);
    const stream = session.request(fields, { endStream: body.length === 0 });
    const interim = [];
    stream.on('headers', (headers, flags, raw) => interim.push({ status: headers[':status'], headers: new Fields(withoutPseudo(raw)) }));
    stream.on('error', fail);
    stream.on('response', (headers, flags, raw) => {
      const whole = new Body(stream, () => {
        clearTimeout(limit);
        session.close();
      });
      resolve(responseOf(headers[':status'], STATUS_CODES[headers[':status']], withoutPseudo(raw), interim, whole));
    });
    stream.on('close', () => reject(new Error('the stream ended without an answer')));
    if (body.length > 0) stream.end(body);
  });
}

/** Resolves at the head of the final response; `text()` waits for its body. */
export function fetchOnce(address, init = {}) {
  const url = new URL(address);
  const body = Buffer.from(init.body ?? '');
  const method = init.method ?? 'GET';
  const head = headOf(url, { headers: [], ...init }, body);
  if (byHttp2) return fetchByHttp2(url, { method, body, head });
  const options = { host: url.hostname, port: url.port, path: url.pathname + url.search, method };
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({ ...options, ca, agent: false, headers: head });
    const interim = [];
    const limit = setTimeout(() => {
      request.destroy(new Error(`no complete answer within ${ANSWER_LIMIT_MS / 1000} s`));
    }, ANSWER_LIMIT_MS);
    request.on('information', (info) => interim.push({ status: info.statusCode, headers: new Fields(info.rawHeaders) }));
    request.on('error', (error) => {
      clearTimeout(limit);
      reject(error);
    });
    request.on('response', (response) => {
      const whole = new Body(response, () => clearTimeout(limit));
      resolve(responseOf(response.statusCode, response.statusMessage, response.rawHeaders, interim, whole));
    });
    request.end(body);
  });
}
