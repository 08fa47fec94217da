// A preload (`node --import freshet-purge.mjs app.mjs`) for sites that were written for Netlify: what purgeCache() of
// npm `@netlify/functions` says to Netlify's purge API goes to freshet. Nothing in the site changes. README.md tells how
// it is set up; this file is all there is to it.
//
// Two things happen: the variables without which purgeCache() does not even try get defaults, and the global fetch() is
// wrapped. Only POST https://api.netlify.com/api/v1/purge is redirected; every other call is handed on as it came.

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const API = 'https://api.netlify.com';
const PATH = '/api/v1/purge';
const TIMEOUT_MS = 10_000;
const INSTALLED = Symbol.for('freshet-purge');
const { env } = process;

if (!globalThis[INSTALLED]) {
  globalThis[INSTALLED] = true;
  // purgeCache() asks for both before it calls fetch(). The token is only a mark: the real one is read for each purge,
  // and is never in a request that goes anywhere but to freshet.
  env.SITE_ID ||= env.FRESHET_SITE || 'default';
  env.NETLIFY_PURGE_API_TOKEN ||= 'set-by-freshet-purge';

  const originalFetch = globalThis.fetch;
  globalThis.fetch = function fetch(input, init) {
    return isPurge(input, init) ? purge(originalFetch, input, init) : originalFetch.call(this, input, init);
  };
}

function isPurge(input, init) {
  const isRequest = input instanceof Request;
  const method = init?.method ?? (isRequest ? input.method : 'GET');
  if (String(method).toUpperCase() !== 'POST') return false;
  let url;
  try {
    url = new URL(isRequest ? input.url : input);
  } catch {
    return false;
  }
  return url.origin === API && url.pathname === PATH;
}

/** Resolves to freshet's answer; rejects with a sentence that says what to do when there is none, or it is a refusal. */
async function purge(originalFetch, input, init) {
  const admin = adminAddress();
  const { token, from } = findToken();
  const original = new Request(input, init);
  const headers = new Headers(original.headers);
  headers.set('Authorization', `Bearer ${token}`);
  original.signal.throwIfAborted();
  const body = await original.text();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  // AbortSignal.any() came with Node 20; before, only a caller that aborts early is heard.
  const signal = AbortSignal.any?.([original.signal, timeout]) ?? timeout;

  let response;
  try {
    response = await originalFetch(admin + PATH, {
      method: 'POST',
      headers,
      body,
      redirect: 'error',
      signal,
    });
  } catch (cause) {
    original.signal.throwIfAborted();
    const reason = timeout.aborted
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : (cause.cause?.code ?? cause.cause?.message ?? cause.message);
    throw new Error(
      `freshet does not answer at ${admin} (${reason}). Is it running? FRESHET_ADMIN names its admin address.`,
      { cause },
    );
  }
  if (response.ok) return response;
  const said = (await response.text().catch(() => '')).trim().slice(0, 500);
  throw new Error(
    `freshet at ${admin} refused to purge with ${response.status}: ${said || response.statusText}${hint(response.status, from)}`,
  );
}

function hint(status, from) {
  if (status === 401)
    return ` (the token came from ${from}; it must be the one that this freshet was started with)`;
  if (status === 404)
    return ` (the site asked for was "${env.SITE_ID}" unless purgeCache() named another; FRESHET_SITE sets it)`;
  return '';
}

function adminAddress() {
  const text = env.FRESHET_ADMIN || 'http://127.0.0.1:8081';
  let url;
  try {
    url = new URL(text.includes('://') ? text : `http://${text}`);
  } catch {
    throw new Error(`FRESHET_ADMIN is "${text}"; it must be an address like http://127.0.0.1:8081.`);
  }
  return url.origin;
}

/** Read anew for each purge: freshet makes its token on its first start, which may come after ours. */
function findToken() {
  if (env.FRESHET_TOKEN) return { token: env.FRESHET_TOKEN, from: 'FRESHET_TOKEN' };
  const state = env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  const file = env.FRESHET_TOKEN_FILE || join(state, 'freshet', 'token');
  let token;
  try {
    token = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new Error(
      `freshet's token cannot be read from ${file} (${cause.code}). Set FRESHET_TOKEN or FRESHET_TOKEN_FILE.`,
      { cause },
    );
  }
  // Neither an empty nor a garbled file may become a header.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new Error(`${file} holds no token. Set FRESHET_TOKEN or FRESHET_TOKEN_FILE.`);
  return { token, from: file };
}
