// README.md's three apps, as they stand there, behind freshet; and what the middleware says of all kinds of answers, the same in each
// framework. The frameworks come from the lock file of tests/e2e.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Front, ask, end, run } from '../../tests/e2e/lib/front.mjs';
import { block } from '../../tests/e2e/lib/guide.mjs';
import { install } from '../../tests/e2e/lib/package.mjs';
import { NODE, REPOSITORY, freePorts, until } from '../../tests/e2e/lib/world.mjs';

const folder = mkdtempSync(join(tmpdir(), 'freshet-server-'));
install(folder, 'client');
const { contents, folder: there } = install(folder, 'server');
const modules = join(REPOSITORY, 'tests/e2e/node_modules');
for (const name of readdirSync(modules)) if (!name.startsWith('.')) symlinkSync(join(modules, name), join(folder, 'node_modules', name));
const readme = readFileSync(join(REPOSITORY, 'integrations/server/README.md'), 'utf8');
const load = (name) => import(pathToFileURL(name.startsWith('./') ? join(there, name) : join(modules, name)));

const { purge } = await load('./express.js');

after(() => rmSync(folder, { recursive: true }));

test('the package holds the code and its types, nothing else', () => {
  assert.deepEqual(contents, ['README.md', 'express.d.ts', 'express.js', 'fastify.d.ts', 'fastify.js', 'hono.d.ts', 'hono.js', 'package.json', 'policy.d.ts', 'policy.js']);
});

for (const framework of ['express', 'fastify', 'hono'])
  test(`README.md: ${framework}`, async () => {
    const [port] = await freePorts(1);
    const front = await Front.start(`http://127.0.0.1:${port}`);
    const name = join(folder, `app-${framework}.mjs`);
    writeFileSync(name, block(readme, 'js', `app-${framework}.mjs`));
    let said = '';
    let app;
    const start = async (token) => {
      app = run(NODE, [name], { env: { ...process.env, PORT: `${port}`, FRESHET_ADMIN: front.admin, FRESHET_TOKEN: token } }, (d) => (said += d));
      await until(() => `the app: ${said}`, () => ask(port, '/').then(() => true, () => false));
    };
    try {
      await start(front.token);
      for (const session of ['genuine', 'made-up']) assert.match((await front.own('/books/1', { cookies: { session } })).headers['cache-control'], /private/);
      const { text } = await front.miss('/books/1');
      await front.miss('/books/2');
      const page = await front.hit('/books/1', { cookies: { other: '1' } });
      assert.equal(page.text, text);
      assert.match(page.cache, /ttl=86\d\d\d/);
      await front.own('/books/1', { cookies: { session: 'genuine' } });
      assert.equal((await front.get('/books/1', { method: 'POST' })).text, 'saved\n');
      assert.notEqual((await front.miss('/books/1')).text, text);
      await front.hit('/books/2');
      await end(app);
      await start('wrong');
      assert.equal((await ask(port, '/books/1', { method: 'POST' })).status, 500);
    } finally {
      await end(app);
      await front.stop();
    }
  });

const POLICY = { ttl: 60, swr: 600, sie: 9, tags: ['a', 'ö', 'ł', 'Ł'], personal: ['session'] };
/** As it is on the wire: ö in Latin-1, ł in UTF-8. */
const TAGS = `a,ö,${Buffer.from('ł,Ł').toString('latin1')}`;
const LIFE = 'max-age=60, stale-while-revalidate=600, stale-if-error=9';

/** Apps that answer as the query says, each behind cache(POLICY) for all paths and cache({ ttl: 5, tags: 'inner' }) at /inner. */
const apps = {
  async express() {
    const { default: express } = await load('express/index.js');
    const { cache } = await load('./express.js');
    const app = express();
    const answer = (req, res) => {
      for (const [name, value] of Object.entries(JSON.parse(req.query.fields ?? '{}'))) res.setHeader(name, value);
      res.status(Number(req.query.status ?? 200)).send('x');
    };
    app.use(cache(POLICY));
    app.get('/inner', cache({ ttl: 5, tags: () => 'inner' }), answer);
    app.get('/throws', cache({ ttl: 5, tags: () => { throw new Error('no tags'); } }), answer);
    app.use((error, req, res, next) => (res.headersSent ? next(error) : res.status(500).send(error.message)));
    app.all('/', answer);
    const server = await new Promise((resolve) => { const s = app.listen(0, '127.0.0.1', () => resolve(s)); });
    return { port: server.address().port, close: () => (server.closeAllConnections(), server.close()) };
  },
  async fastify() {
    const { default: Fastify } = await load('fastify/fastify.js');
    const { cache } = await load('./fastify.js');
    const app = Fastify();
    const answer = (request, reply) => {
      for (const [name, value] of Object.entries(JSON.parse(request.query.fields ?? '{}'))) reply.header(name, value);
      reply.code(Number(request.query.status ?? 200)).send('x');
    };
    app.addHook('onSend', cache(POLICY));
    app.get('/inner', { onSend: cache({ ttl: 5, tags: () => 'inner' }) }, answer);
    app.get('/throws', { onSend: cache({ ttl: 5, tags: () => { throw new Error('no tags'); } }) }, answer);
    app.all('/', answer);
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: app.server.address().port, close: () => app.close() };
  },
  async hono() {
    const { Hono } = await load('hono/dist/index.js');
    const { serve } = await load('@hono/node-server/dist/index.mjs');
    const { cache } = await load('./hono.js');
    const app = new Hono();
    const answer = (c) => (c.req.query('status') ? c.body.bind(c) : c.text.bind(c))(/204|302/.test(c.req.query('status')) ? null : 'x', Number(c.req.query('status') ?? 200), JSON.parse(c.req.query('fields') ?? '{}'));
    app.use(cache(POLICY));
    app.get('/inner', cache({ ttl: 5, tags: () => 'inner' }), answer);
    app.get('/throws', cache({ ttl: 5, tags: () => { throw new Error('no tags'); } }), answer);
    app.all('/', answer);
    const server = await new Promise((resolve) => { const s = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(s)); });
    return { port: server.address().port, close: () => (server.closeAllConnections(), server.close()) };
  },
};

for (const [framework, make] of Object.entries(apps))
  describe(framework, () => {
    let app;

    before(async () => {
      app = await make();
    });
    after(() => app.close());

    const get = (path, { fields, status, ...options } = {}) =>
      ask(app.port, `${path}?${new URLSearchParams({ ...(fields && { fields: JSON.stringify(fields) }), ...(status && { status }) })}`, options);
    const said = ({ headers }) => ['cdn-cache-control', 'cache-tag', 'netlify-vary', 'cache-control'].map((name) => headers[name]);

    test('a page for all', async () => {
      for (const status of [200, 204, 302]) assert.deepEqual(said(await get('/', { status })).slice(0, 3), [LIFE, TAGS, 'cookie=session']);
      const page = await get('/', { fields: { 'Netlify-Vary': 'query=page', 'Cache-Tag': 'own', 'Cache-Control': 'public, max-age=0' } });
      assert.deepEqual(said(page), [LIFE, `own,${TAGS}`, 'query=page, cookie=session', 'public, max-age=0']);
      assert.deepEqual(said(await get('/', { method: 'HEAD' })).slice(0, 1), [LIFE]);
    });

    test('never stored', async () => {
      for (const options of [{ status: 500 }, { status: 404 }, { status: 401 }, { method: 'POST' }, { fields: { 'Cache-Control': 'private' } }, { fields: { 'Cache-Control': 'no-store' } },
        { headers: { Authorization: 'Basic x' } }]) {
        const [life, tags] = said(await get('/', options));
        assert.deepEqual([life, tags], [undefined, undefined], JSON.stringify(options));
      }
      const mine = await get('/', { cookies: { session: '1' }, fields: { 'CDN-Cache-Control': 'max-age=9' } });
      assert.deepEqual(said(mine), [undefined, undefined, 'cookie=session', 'private, no-store']);
    });

    test('what a handler says itself, and an inner policy', async () => {
      assert.deepEqual(said(await get('/', { fields: { 'CDN-Cache-Control': 'max-age=9' } })).slice(0, 2), ['max-age=9', TAGS]);
      const [life, tags] = said(await get('/inner'));
      assert.deepEqual(new Set(tags.split(',')), new Set(['inner', ...TAGS.split(',')]));
      assert.equal(life, 'max-age=5');
    });

    test('tags that are not ASCII are purged, whatever the body is', async () => {
      const front = await Front.start(`http://127.0.0.1:${app.port}`);
      try {
        for (const tag of ['a', 'ö', 'ł', 'Ł']) {
          await front.miss('/');
          await front.hit('/');
          await purge({ tags: [tag] }, { admin: front.admin, token: front.token });
        }
        await front.miss('/');
      } finally {
        await front.stop();
      }
    });

    test('tags() that throws is an error, and the error is not stored', async () => {
      const page = await get('/throws');
      assert.equal(page.status, 500);
      assert.equal(page.headers['cdn-cache-control'], undefined);
    });
  });

test('writeHead() with fields, in each form, is seen', async () => {
  const { cache } = await load('./express.js');
  const middleware = cache({ ttl: 60, tags: 'a' });
  const forms = [[200, { 'Cache-Control': 'private' }], [200, 'Fine', { 'Cache-Control': 'private' }], [200, ['Cache-Control', 'private', 'X-A', '1', 'X-A', '2']], [404], [200, 'Fine']];
  const server = createServer((req, res) => middleware(req, res, () => res.writeHead(...forms[Number(req.url.slice(1))]).end('x'))).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const answers = [];
  for (let i = 0; i < forms.length; i++) answers.push(await ask(server.address().port, `/${i}`));
  server.closeAllConnections();
  server.close();
  assert.deepEqual(answers.map(({ headers }) => headers['cdn-cache-control']), [undefined, undefined, undefined, undefined, 'max-age=60']);
  assert.deepEqual(answers.map(({ headers }) => headers['cache-control']), ['private', 'private', 'private', undefined, undefined]);
  assert.equal(answers[2].headers['x-a'], '1, 2');
});

test('a policy that is none is refused when the app starts', async () => {
  for (const name of ['./express.js', './fastify.js', './hono.js']) {
    const { cache } = await load(name);
    for (const policy of [undefined, { maxAge: 1 }, { ttl: '60' }, { ttl: -1 }, { tags: [5] }, { personal: ['a|b'] }]) assert.throws(() => cache(policy), TypeError, JSON.stringify(policy));
  }
});
