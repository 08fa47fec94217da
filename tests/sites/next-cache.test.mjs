// integrations/next with Next.js itself, below a base path: its revalidations make pages new behind freshet, HTML and RSC; drafts and what
// is personal are never stored.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';
import { block, change } from '../e2e/lib/guide.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';
import { REPOSITORY, until } from '../e2e/lib/world.mjs';

const readme = readFileSync(join(REPOSITORY, 'integrations/next/README.md'), 'utf8');
let app, front, database, next;
let words = 'first words';

before(async () => {
  database = createServer((request, response) => response.end(words)).listen(0, '127.0.0.1');
  await once(database, 'listening');
  app = new App('next-cache', { modules: 'next', packages: ['client', 'next'], link: false,
    env: { NEXT_TELEMETRY_DISABLED: '1', WEBHOOK_SECRET: 's3cret', DATABASE: `http://127.0.0.1:${database.address().port}` } });
  writeFileSync(join(app.root, 'next.config.mjs'), change(block(readme, 'js', 'next.config.mjs'), ['// your configuration', "basePath: '/base',"]));
  mkdirSync(join(app.root, 'app/api/webhook'), { recursive: true });
  writeFileSync(join(app.root, 'app/api/webhook/route.js'), block(readme, 'js', 'route.js'));
  next = join(app.root, 'node_modules/next/dist/bin/next');
  await app.build([next, 'build']);
  front = await app.behindFreshet();
  await start();
}, { timeout: 600_000 });

after(async () => {
  await app?.stop();
  database.close();
});

const start = (env) => app.start([next, 'start', '-p', `${app.port}`, '-H', '127.0.0.1'], env);
const post = (path, body, headers) => ask(app.port, `/base${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) });
const RSC = { headers: { RSC: '1' } };

/** A page of ours, fetched and stored, as HTML and as RSC; resolves to the HTML. */
async function warm(path) {
  for (const [url, options] of [[path, {}], [`${path}?_rsc=${await rscOf(path)}`, RSC]]) {
    await front.get(url, options);
    await until(`${url} to be stored`, async () => / hit/.test((await front.get(url, options)).cache));
  }
  return (await front.hit(path)).text;
}

/** The value of _rsc that Next wants beside these fields. */
const known = new Map();
async function rscOf(path) {
  if (!known.has(path)) known.set(path, /_rsc=(\w*)/.exec((await ask(app.port, `${path}?_rsc=x`, RSC)).headers.location ?? '')?.[1] ?? '');
  return known.get(path);
}

/** Waits until what comes for `path` is new, HTML and RSC, and sees that it was made from the words of now. */
async function isNew(path, before, id) {
  const html = await until(`a new ${path}`, async () => {
    const page = await front.get(path);
    return page.text !== before && page;
  });
  assert.ok(html.text.includes(words), html.text);
  const rsc = await until('a new RSC answer', async () => {
    const answer = await front.get(`${path}?_rsc=${await rscOf(path)}`, RSC);
    return answer.text.includes(words) && answer;
  });
  assert.match(rsc.headers['content-type'], /text\/x-component/);
  return { html, rsc, id };
}

test('pages are kept as Next says, RSC apart, with the tags of Next', async () => {
  const html = await warm('/base/g/1');
  const page = await front.hit('/base/g/1');
  assert.match(page.headers['cache-tag'], /_N_T_\/\(shop\)\/g\/\[id\]\/page.*_N_T_\/g\/1.*product-1/);
  assert.equal(page.headers['x-next-cache-tags'], undefined);
  const rsc = await front.hit(`/base/g/1?_rsc=${await rscOf('/base/g/1')}`, RSC);
  assert.equal(rsc.headers['cache-tag'], page.headers['cache-tag']);
  assert.notEqual(rsc.text, html);
});

test('clicked through in Chromium, it is as without freshet', { timeout: 1_800_000 }, () => sameInChromium({ direct: app.port, front: front.port, from: '/base' }));

for (const [what, call] of [
  ['revalidateTag(tag, { expire: 0 })', () => post('/tag', { tag: 'product-1', profile: { expire: 0 } })],
  ['revalidatePath() of a page', () => post('/path', { path: '/g/1' })],
  ['revalidatePath() of a file in a group', () => post('/path', { path: '/(shop)/g/[id]', type: 'page' })],
  ['revalidatePath() of everything', () => post('/path', { path: '/', type: 'layout' })],
  ['updateTag() in an action', act],
  ['purge() in a webhook', () => post('/api/webhook', { id: '1' }, { 'x-webhook-secret': 's3cret' })],
])
  test(`${what} makes the page new`, async () => {
    const before = await warm('/base/g/1');
    const other = await warm('/base/s/a');
    words = `words for ${what}`;
    const done = await call();
    assert.ok(done.status < 400, `${done.status} ${done.text}`);
    await isNew('/base/g/1', before);
    if (!what.includes('everything')) assert.equal((await front.hit('/base/s/a')).text, other);
  });

async function act() {
  const { text } = await ask(app.port, '/base/edit');
  const [, name] = /name="(\$ACTION_ID_[^"]+)"/.exec(text);
  const body = [`name="${name}"\r\n\r\n`, 'name="id"\r\n\r\n1'].map((part) => `--x\r\nContent-Disposition: form-data; ${part}\r\n`).join('') + '--x--\r\n';
  return ask(app.port, '/base/edit', { method: 'POST', headers: { 'Content-Type': 'multipart/form-data; boundary=x' }, body });
}

test('revalidateTag(tag, "max") shows the old page while the new one is made, from new data', async () => {
  const before = await warm('/base/g/1');
  words = 'words after max';
  await post('/tag', { tag: 'product-1', profile: 'max' });
  const seen = [];
  await until('the new page', async () => {
    const page = await front.hit('/base/g/1');
    seen.push(page.cache);
    return page.text.includes(words);
  });
  assert.ok(seen.some((cache) => cache.includes('refreshing')), seen.join('\n'));
  await isNew('/base/g/1', before);
});

test('a page that was prerendered for ever, and a route\'s answer', async () => {
  const page = await warm('/base/s/a');
  await front.get('/base/static');
  const route = (await front.hit('/base/static')).text;
  words = 'words of what was static';
  for (const tag of ['product-a', 'product-route']) await post('/tag', { tag, profile: { expire: 0 } });
  await isNew('/base/s/a', page);
  await until('the route', async () => (await front.get('/base/static')).text !== route);
});

test('drafts and personal pages are never stored', async () => {
  await warm('/base/g/2');
  const { cookies } = await front.get('/base/draft');
  for (let i = 0; i < 2; i++) assert.match((await front.own('/base/g/2', { cookies })).text, /DRAFT/);
  assert.match((await front.own('/base/g/3', { cookies })).text, /DRAFT/);
  assert.match((await front.get('/base/g/3')).text, /PUBLISHED/);
  assert.match((await front.hit('/base/g/2')).text, /PUBLISHED/);
  for (const name of ['ann', 'bob']) assert.match((await front.own('/base/account', { cookies: { name } })).text, new RegExp(name));
});

test('tags that are not ASCII, and a webhook without the secret', async () => {
  await warm('/base/g/m%C3%B6bel');
  const before = (await front.hit('/base/g/m%C3%B6bel')).text;
  words = 'neue Worte';
  assert.equal((await post('/api/webhook', { id: 'möbel' }, { 'x-webhook-secret': 'guess' })).status, 401);
  await front.hit('/base/g/m%C3%B6bel');
  await post('/tag', { tag: 'product-möbel', profile: { expire: 0 } });
  await isNew('/base/g/m%C3%B6bel', before);
});

test('after a restart of the app what freshet has is still purged', async () => {
  const before = await warm('/base/g/1');
  await app.halt();
  words = 'words after the restart';
  await start();
  assert.equal((await front.hit('/base/g/1')).text, before);
  await post('/path', { path: '/g/1' });
  await isNew('/base/g/1', before);
});

test('a webhook whose purge fails, fails', async () => {
  await app.halt();
  await start({ FRESHET_TOKEN: 'wrong' });
  assert.equal((await post('/api/webhook', { id: '1' }, { 'x-webhook-secret': 's3cret' })).status, 500);
  assert.match(app.said, /refused to purge with 401/);
});
