// docs/guides/nextjs.md with Next.js itself, built and started from npm: drafts stay with the editor, a forged cookie fills nobody's
// page, a redirect of RSC is nobody else's, and a purge after a revalidation shows the new page. CACHING.md 1.1, 4.4.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from '../e2e/lib/front.mjs';
import { reach } from '../e2e/lib/reach.mjs';
import { block, change, guide } from '../e2e/lib/guide.mjs';
import { FRESHET, freePorts, temporaryFolder, until } from '../e2e/lib/world.mjs';

const here = fileURLToPath(new URL('next', import.meta.url));
const text = guide('guides/nextjs.md');
const folder = temporaryFolder();
const words = join(folder, 'words'); // what the page shows
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', WEBHOOK_SECRET: 's3cret', WORDS: words };
let said = '';
let app, front, port;

before(async () => {
  const root = join(folder, 'app');
  cpSync(here, root, { recursive: true, filter: (from) => !/node_modules|\.next/.test(from.slice(here.length)) });
  // Turbopack takes no link that leads out of its root.
  cpSync(join(here, 'node_modules'), join(root, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(root, 'next.config.mjs'), block(text, 'js', 'next.config.mjs'));
  mkdirSync(join(root, 'app/api/revalidate'), { recursive: true });
  writeFileSync(join(root, 'app/api/revalidate/route.js'), block(text, 'js', 'route.js'));
  writeFileSync(words, 'first words');
  const next = join(root, 'node_modules/next/dist/bin/next');
  const built = spawnSync(process.execPath, [next, 'build'], { cwd: root, env, encoding: 'utf8' });
  assert.equal(built.status, 0, built.stdout + built.stderr);
  [port] = await freePorts(1);
  app = run(process.execPath, [next, 'start', '-p', `${port}`, '-H', '127.0.0.1'], { cwd: root, env }, (d) => (said += d));
  await until(() => `Next\n${said}`, () => ask(port, '/').then((r) => r.status === 200, () => false));
  front = await Front.start(`http://127.0.0.1:${port}`);
}, { timeout: 240_000 });

after(async () => {
  if (app) await end(app);
  await front?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('freshet finds the scripts and styles of the build from its first page', async () => {
  const { files, found, nowhere } = await reach(port, join(folder, 'app/.next/static'), '/_next/static/');
  // The manifests of a build are for the pages router, which asks for them by their name.
  assert.deepEqual(files.filter((name) => !found.includes(name) && !name.endsWith('Manifest.js')), []);
  assert.ok(found.length / files.length >= 9 / 15, `${found.length} of ${files.length}`);
  assert.deepEqual(nowhere, []);
});

test('drafts stay with the editor, before and after the page is stored', async () => {
  const { cookies } = await front.get('/draft');
  assert.ok(cookies.__prerender_bypass);
  assert.match((await front.own('/blog/a', { cookies })).text, /DRAFT/);
  assert.match((await front.miss('/blog/a')).text, /PUBLISHED/);
  assert.match((await front.hit('/blog/a')).cache, /ttl=86\d\d\d/);
  assert.match((await front.own('/blog/a', { cookies })).text, /DRAFT/);
});

test('a forged cookie of drafts fills nobody else\'s page', async () => {
  await front.get('/blog/forged', { cookies: { __prerender_bypass: 'forged' } });
  assert.match((await front.miss('/blog/forged')).text, /PUBLISHED/);
});

test('a redirect of RSC is for the router that it was made for', async () => {
  const rsc = (tree) => front.get('/blog/b?_rsc=1', { headers: { RSC: '1', 'Next-Router-State-Tree': tree } });
  const x = await rsc('x');
  const y = await rsc('y');
  assert.equal(x.status, 307);
  assert.notEqual(x.headers.location, y.headers.location);
  assert.equal((await front.get('/blog/b?_rsc=1')).status, 200);
  assert.equal((await rsc('x')).headers.location, x.headers.location);
});

test('a purge after a revalidation shows the new page', async () => {
  await front.miss('/blog/hello');
  await front.hit('/blog/hello');
  writeFileSync(words, 'second words');
  const command = change(block(text, 'sh', 'revalidate'), ['http://127.0.0.1:3000', `http://127.0.0.1:${port}`]);
  const done = spawnSync('sh', ['-c', command], { encoding: 'utf8', env: { ...env, FRESHET_ADMIN: front.admin, FRESHET_TOKEN: front.token,
    PATH: `${folder}:${process.env.PATH}` } });
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stdout, /^revalidated hello\npurged site default: tag post-hello/);
  assert.match((await front.miss('/blog/hello')).text, /second words/);
});

before(() => symlinkSync(FRESHET, join(folder, 'freshet')));
