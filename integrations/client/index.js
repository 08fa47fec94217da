// Asks a freshet to purge, over the API of its admin listener (docs/ADMIN.md of freshet). A purge that fails is tried again as long as
// that can help, and then rejects with what freshet said. Uses node:http, so no framework's own fetch() stands between, and
// `unix:/path` works. The variables are those of the program `freshet` and of the preload `freshet-purge`.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';

const MOST_ANSWER_BYTES = 1024 * 1024;
const OPTIONS = ['admin', 'token', 'tokenFile', 'site', 'timeout', 'retries'];
const REQUEST = ['tags', 'urls', 'all', 'soft', 'site', 'domain', 'signal'];

/** freshet did not purge: it could not be asked, or it said no. The message says which, and what to do. */
export class FreshetError extends Error {
  constructor(message, { answered, code, attempts, cause } = {}) {
    super(message, cause && { cause });
    this.name = 'FreshetError';
    /** The status of freshet's answer; undefined when there was none. Frameworks answer with an error's `status`, which this is not. */
    this.answered = answered;
    /** The system's word when there was no answer, such as ECONNREFUSED; ETIMEDOUT when the time was up. */
    this.code = code;
    /** How often freshet was asked. */
    this.attempts = attempts;
  }
}

/** Resolves to freshet's answer when what `what` names is purged; see Client.purge(). */
export function purge(what, options) {
  return createClient(options).purge(what);
}

/** A client with options of its own. What is left out is taken from the environment, at each purge. */
export function createClient(options = {}) {
  only(options, OPTIONS, 'createClient()');
  const { timeout = 10_000, retries = 5 } = options;
  if (!(Number.isFinite(timeout) && timeout > 0)) throw new TypeError('timeout is a number of milliseconds above 0');
  if (!(Number.isInteger(retries) && retries >= 0 && retries <= 20)) throw new TypeError('retries is a number from 0 to 20');
  return {
    async purge(what) {
      const body = bodyOf(what, options.site ?? process.env.FRESHET_SITE);
      const said = await persist({ path: '/api/v1/purge', admin: adminOf(options), options, body, timeout, retries, signal: what.signal });
      return answerOf(said, ({ sequence }) => Number.isInteger(sequence));
    },
    async status({ signal } = {}) {
      const said = await persist({ path: '/api/v1/status', admin: adminOf(options), options, timeout, retries, signal });
      return answerOf(said, ({ version }) => typeof version === 'string');
    },
  };
}

// ---- What is sent

function bodyOf(what, site) {
  only(what, REQUEST, 'purge()');
  const body = {};
  const tags = list(what.tags, 'tags');
  const urls = list(what.urls, 'urls');
  // Without tags and urls freshet purges a whole site. Nobody shall say that by a variable that is undefined.
  if (what.all === true ? tags || urls : !tags && !urls)
    throw new TypeError('purge() takes tags or urls, or all: true (and neither) for the whole site');
  if (tags) body.cache_tags = tags;
  if (urls) body.urls = urls;
  if (what.soft) body.soft = true;
  if (what.domain) body.domain = what.domain;
  if (what.site ?? site) body.site_id = what.site ?? site;
  return JSON.stringify(body);
}

function list(value, name) {
  if (value === undefined || value === null) return undefined;
  const all = typeof value === 'string' ? [value] : [...value];
  if (!all.every((one) => typeof one === 'string' && one !== '')) throw new TypeError(`${name} is a string or a list of strings, none of them empty`);
  return all;
}

/** A misspelt name must not purge something else, or nothing. */
function only(object, names, where) {
  if (object === null || typeof object !== 'object') throw new TypeError(`${where} takes an object`);
  const unknown = Object.keys(object).find((name) => !names.includes(name));
  if (unknown !== undefined) throw new TypeError(`${where} knows no "${unknown}"; it knows ${names.join(', ')}`);
}

// ---- Where to, and with which token

function adminOf(options) {
  const text = options.admin ?? (process.env.FRESHET_ADMIN || 'http://127.0.0.1:8081');
  const from = options.admin === undefined ? 'FRESHET_ADMIN' : 'the option admin';
  if (text.startsWith('unix:/')) return { name: text, module: http, target: { socketPath: text.slice(5) }, base: '' };
  let url;
  try {
    url = new URL(text.includes('://') ? text : `http://${text}`);
  } catch {}
  if (!/^https?:$/.test(url?.protocol ?? '') || url.username || url.password || url.search || url.hash)
    throw new FreshetError(`${from} is no address like http://127.0.0.1:8081 or unix:/run/freshet/admin.sock`, { attempts: 0 });
  const base = url.pathname.replace(/\/+$/, '');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { name: url.origin + base, module: url.protocol === 'https:' ? https : http, target: { host, port: url.port }, base };
}

/** Read anew for each attempt: freshet makes its token on its first start, which may come after ours. */
function tokenOf(options) {
  const { env } = process;
  if (options.token ?? env.FRESHET_TOKEN) return good(options.token ?? env.FRESHET_TOKEN, options.token ? 'the option token' : 'FRESHET_TOKEN');
  const state = env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  const file = (options.tokenFile ?? env.FRESHET_TOKEN_FILE) || join(state, 'freshet', 'token');
  try {
    return good(readFileSync(file, 'utf8').trim(), file);
  } catch (cause) {
    if (cause instanceof FreshetError) throw cause;
    throw new FreshetError(`freshet's token cannot be read from ${file} (${cause.code}). Set FRESHET_TOKEN or FRESHET_TOKEN_FILE.`, { code: cause.code, attempts: 0, cause });
  }
}

/** Neither an empty nor a garbled token may become a header. */
function good(token, from) {
  if (/^[\x21-\x7e]+$/.test(token)) return { token, from };
  throw new FreshetError(`${from} holds no token. Set FRESHET_TOKEN or FRESHET_TOKEN_FILE.`, { attempts: 0 });
}

// ---- Again and again, with an end

/**
 * A purge may be said twice: the second time it removes at most what was stored in between. So all that may pass by itself is tried
 * again: no connection, a connection that broke, 429, 5xx. Any other answer is final.
 */
async function persist({ path, admin, options, body, timeout, retries, signal }) {
  const end = Date.now() + timeout;
  const late = AbortSignal.timeout(Math.ceil(timeout));
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    const { token, from } = tokenOf(options);
    const said = await ask(admin, path, token, body, [late, signal]);
    signal?.throwIfAborted();
    if (said.status >= 200 && said.status < 300) return { ...said, admin, attempt };
    const wait = waitOf(said, attempt);
    if (wait === undefined || attempt > retries || Date.now() + wait >= end) throw failure(admin, said, { attempt, timeout, from, body, late });
    await sleep(wait, signal);
  }
}

/** How long to wait before the next attempt, in ms; undefined when there is none. Half of it is by chance: nobody comes in step. */
function waitOf({ status, retryAfter }, attempt) {
  if (status !== undefined && status !== 429 && status < 500) return undefined;
  const seconds = /^\d{1,9}$/.test(retryAfter ?? '') ? Number(retryAfter) : (Date.parse(retryAfter) - Date.now()) / 1000;
  if (seconds > 0) return seconds * 1000;
  return 100 * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
}

/** One request over a connection of its own. Resolves to { status, retryAfter, text }, or to { error } when no answer came. */
function ask({ module, target, base }, path, token, body, signals) {
  return new Promise((resolve) => {
    const headers = { Authorization: `Bearer ${token}` };
    if (body !== undefined) Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
    const request = module.request({ ...target, path: base + path, method: body === undefined ? 'GET' : 'POST', headers, agent: false });
    const stop = () => request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }));
    const done = (said) => {
      for (const signal of signals) signal?.removeEventListener('abort', stop);
      resolve(said);
    };
    for (const signal of signals) {
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    }
    request.on('error', (error) => done({ error }));
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
        if (text.length > MOST_ANSWER_BYTES) request.destroy(new Error('too long an answer'));
      });
      response.on('error', (error) => done({ error }));
      response.on('end', () => done({ status: response.statusCode, retryAfter: response.headers['retry-after'], text }));
    });
    request.end(body);
  });
}

/** An answer that is not freshet's means that nothing was done. */
function answerOf({ status, text, admin: { name }, attempt: attempts }, isFreshets) {
  try {
    const answer = JSON.parse(text);
    if (isFreshets(answer)) return answer;
  } catch {}
  throw new FreshetError(`${name} answered with ${status}, but not as freshet does. Is this freshet's admin address?`, { answered: status, attempts });
}

function failure({ name }, { status, text, error }, { attempt: attempts, timeout, from, body, late }) {
  const tries = attempts > 1 ? `, asked ${attempts} times` : '';
  if (error) {
    const code = late.aborted ? 'ETIMEDOUT' : error.code;
    const reason = late.aborted ? `no answer within ${timeout / 1000} s` : (error.code ?? error.message);
    return new FreshetError(`freshet does not answer at ${name} (${reason}${tries}). Is it running? FRESHET_ADMIN names its admin address.`, { code, attempts, cause: error });
  }
  return new FreshetError(`freshet at ${name} refused ${body === undefined ? 'to answer' : 'to purge'} with ${status}: ${sentence(text)}${hint(status, from, body)}${tries}`, { answered: status, attempts });
}

function sentence(text) {
  try {
    const { message } = JSON.parse(text);
    if (typeof message === 'string') return message.slice(0, 500);
  } catch {}
  return text.trim().slice(0, 500) || 'no reason given';
}

function hint(status, from, body) {
  if (status === 401) return ` (the token came from ${from}; it must be the one that this freshet was started with)`;
  if (status === 404 && body) return ` (the site asked for was "${JSON.parse(body).site_id ?? ''}"; FRESHET_SITE or the option site sets it)`;
  return '';
}

function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal.reason));
    const timer = setTimeout(() => (signal?.removeEventListener('abort', stop), resolve()), ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
