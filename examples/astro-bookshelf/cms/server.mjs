// A small stand-in for Contentful, so that the example runs without an account: the part of the GraphQL Content API that
// the site asks, pages to edit the entries, and webhooks on publish and unpublish. No dependencies; for one machine only:
// it listens on loopback and has no log-in.

import { createServer } from 'node:http';
import { createHash, timingSafeEqual } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { runQuery } from './graphql.mjs';
import { formPage, listPage, messagePage } from './pages.mjs';
import { makeSchema } from './schema.mjs';
import { EntryError, MODEL, Store } from './store.mjs';
import { Courier, webhookFor } from './webhooks.mjs';

const MAX_BODY = 64 * 1024;
const REMEMBERED_QUERIES = 1000;

const env = process.env;
const port = Number(env.CMS_PORT ?? 4322);
const webhookUrl = env.WEBHOOK_URL ?? 'http://127.0.0.1:4321/api/webhook.json';
const space = env.CONTENTFUL_SPACE_ID ?? 'bookshelf';
const environment = env.CONTENTFUL_ENVIRONMENT ?? 'master';
const token = env.CONTENTFUL_DELIVERY_TOKEN ?? 'bookshelf-delivery-token';
const graphqlPath = `/content/v1/spaces/${space}/environments/${environment}`;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const log = (text) => console.log(text);

const store = new Store(env.CMS_DATA ?? here('../data/cms.json'), here('seed.json'));
const schema = makeSchema(store, space, environment);
const queries = { total: 0, last: [] };
const courier = new Courier({
  store,
  url: webhookUrl,
  secret: env.WEBHOOK_SECRET ?? 'bookshelf-webhook-secret',
  retryMs: Number(env.WEBHOOK_RETRY_MS ?? 1000),
  log,
});

/** What ends a request early. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const send = (response, status, type, body, headers = {}) =>
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers }).end(body);
const sendHtml = (response, status, body) =>
  send(response, status, 'text/html; charset=utf-8', body, {
    'Content-Security-Policy':
      "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  });
const sendJson = (response, status, value) =>
  send(response, status, 'application/json', JSON.stringify(value));

async function readBody(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Refusal(413, 'The request is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const sha256 = (text) => createHash('sha256').update(text).digest();
const sameSecret = (given, known) => timingSafeEqual(sha256(given), sha256(known));

async function answerQuery(request, response) {
  const refuse = (status, code, message) =>
    sendJson(response, status, { errors: [{ message, extensions: { contentful: { code } } }] });
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  if (!sameSecret(given, token)) {
    return refuse(401, 'ACCESS_TOKEN_INVALID', 'The access token you sent could not be found or is invalid.');
  }
  let asked;
  try {
    asked = JSON.parse(await readBody(request));
  } catch (error) {
    if (error instanceof Refusal) throw error;
    return refuse(400, 'INVALID_REQUEST', 'The body is not JSON.');
  }
  const { operation, ...answer } = runQuery(schema, asked?.query, asked?.variables, {});
  queries.total++;
  queries.last.unshift({
    at: new Date().toISOString(),
    operation: operation ?? null,
    variables: asked?.variables ?? {},
  });
  queries.last.length = Math.min(queries.last.length, REMEMBERED_QUERIES);
  sendJson(response, answer.errors ? 400 : 200, answer);
}

/** Takes a form only from a page of ours: any web page may make the visitor's browser post to this machine. */
async function readForm(request) {
  const { origin, host } = request.headers;
  if (origin !== undefined && origin !== `http://${host}`)
    throw new Refusal(403, 'This form came from another site.');
  return new URLSearchParams(await readBody(request));
}

async function edit(request, response, type, id) {
  const entry = id === null ? null : store.get(type, id);
  if (id !== null && !entry) throw new Refusal(404, 'There is no such entry.');
  if (request.method === 'GET') {
    return sendHtml(response, 200, formPage({ store, type, entry, values: entry?.fields ?? {} }));
  }
  const form = await readForm(request);
  const values = Object.fromEntries(form);
  const announce = (topic) => (changed) => webhookFor(topic, changed, space, environment);
  const removes = entry !== null && form.get('action') === 'delete';
  try {
    const changed = removes
      ? store.unpublish(type, id, announce('unpublish'))
      : store.publish(type, id, values, announce('publish'));
    courier.deliverOwed();
    const query = new URLSearchParams({
      done: removes ? 'deleted' : 'published',
      what: changed.fields.title ?? changed.fields.name,
    });
    send(response, 303, 'text/plain', '', { Location: `/?${query}` });
  } catch (error) {
    if (!(error instanceof EntryError)) throw error;
    const shown = removes ? entry.fields : values;
    sendHtml(response, 400, formPage({ store, type, entry, values: shown, problem: error.message }));
  }
}

function list(response, url) {
  const done = url.searchParams.get('done');
  const what = (url.searchParams.get('what') ?? '').slice(0, 200);
  const notice = done === 'published' || done === 'deleted' ? `“${what}” is ${done}.` : null;
  sendHtml(response, 200, listPage({ store, deliveries: courier.deliveries, notice, site: new URL(webhookUrl).origin }));
}

async function route(request, response) {
  // By name only as this machine: a foreign name that resolves to loopback is somebody's attempt to read the pages.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? ''))
    throw new Refusal(403, 'Unknown host name.');
  const url = new URL(request.url, 'http://cms');
  const reads = request.method === 'GET';
  if (url.pathname === graphqlPath && request.method === 'POST') return answerQuery(request, response);
  if (url.pathname.startsWith('/content/'))
    throw new Refusal(404, 'Unknown space or environment, or not a POST.');
  if (url.pathname === '/' && reads) return list(response, url);
  if (url.pathname === '/healthz' && reads) return send(response, 200, 'text/plain', 'ok\n');
  if (url.pathname === '/queries.json' && reads) return sendJson(response, 200, queries);
  if (url.pathname === '/webhooks.json' && reads) return sendJson(response, 200, courier.deliveries);
  const [, verb, type, id = null] = /^\/(new|edit)\/([a-z]+)(?:\/([\w.-]{1,64}))?$/.exec(url.pathname) ?? [];
  if (
    verb &&
    Object.hasOwn(MODEL, type) &&
    (verb === 'edit') === (id !== null) &&
    (reads || request.method === 'POST')
  ) {
    return edit(request, response, type, id);
  }
  throw new Refusal(404, 'There is no such page.');
}

const server = createServer((request, response) => {
  route(request, response).catch((error) => {
    if (!(error instanceof Refusal)) console.error(error);
    if (response.headersSent) return response.destroy();
    const status = error instanceof Refusal ? error.status : 500;
    sendHtml(
      response,
      status,
      messagePage(`Error ${status}`, error instanceof Refusal ? error.message : 'See the log.'),
    );
  });
});

server.on('error', (error) => {
  console.error(error.code === 'EADDRINUSE' ? `port ${port} is taken` : error.message);
  process.exit(1);
});
server.listen(port, '127.0.0.1', () => {
  log(`CMS: http://127.0.0.1:${port}/`);
  courier.deliverOwed();
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    courier.stop();
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
}
