// The fetch function that the suite's client is given: one request on one new connection, with the fields that node-fetch
// would send, since the suite's results were made with it. Unlike node-fetch it keeps the interim responses, and it gives
// up when no answer comes: a cache that hangs must fail its test, not the run.

import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

const ANSWER_LIMIT_MS = 30000;

let ca;

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

/** Resolves at the head of the final response; `text()` waits for its body. */
export function fetchOnce(address, init = {}) {
  const url = new URL(address);
  const body = Buffer.from(init.body ?? '');
  const options = { host: url.hostname, port: url.port, path: url.pathname + url.search, method: init.method ?? 'GET' };
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send({ ...options, ca, agent: false, headers: headOf(url, { headers: [], ...init }, body) });
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
      const chunks = [];
      const whole = new Promise((done, cut) => {
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => done(Buffer.concat(chunks).toString()));
        response.on('error', cut);
        response.on('close', () => clearTimeout(limit));
      });
      whole.catch(() => {}); // a body that nobody reads may be cut
      resolve({
        status: response.statusCode,
        statusText: response.statusMessage,
        headers: askableByName(new Fields(response.rawHeaders)),
        interim,
        text: () => whole,
      });
    });
    request.end(body);
  });
}
