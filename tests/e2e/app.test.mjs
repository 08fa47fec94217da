// The bookshelf by itself, with a stand-in where freshet's purge API would be: it sends the headers of the recipe, and an
// edit in the CMS asks for exactly the tags of the pages that show what was edited.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { startWorld, until } from './lib/world.mjs';
import { standInFor } from './lib/receiver.mjs';

const PURGED = [{ status: 202, body: '{"sequence":1,"durable":false}' }];
const PAGES = [
  '/',
  '/?page=2',
  '/books/emma',
  '/books/persuasion',
  '/books/typee',
  '/books/none-yet',
  '/author/jane-austen',
  '/author/herman-melville',
  '/slow',
];

let world;
let freshet;

before(async () => {
  world = await startWorld({ freshet: false });
  freshet = await standInFor(world);
});

after(async () => {
  await world?.stop();
  await freshet?.close();
});

beforeEach(() => {
  freshet.received = [];
  freshet.answers = PURGED.slice();
});

const tagsOf = (page) =>
  (page.headers.get('netlify-cache-tag') ?? '')
    .split(',')
    .map((tag) => tag.trim())
    .filter(Boolean);

describe('the header recipe', () => {
  const RECIPES = [
    // path, status, seconds on the CDN, tags, vary
    ['/', 200, 'max-age=31536000', 'books, book, author', 'query=sort|page|per_page, cookie=theme'],
    [
      '/?sort=year&page=2&per_page=3',
      200,
      'max-age=31536000',
      'books, book, author',
      'query=sort|page|per_page, cookie=theme',
    ],
    ['/books/emma', 200, 'max-age=31536000', 'bk-emma, au-austen', 'cookie=theme'],
    [
      '/author/mary-shelley',
      200,
      'max-age=31536000',
      'au-shelley, books-by-au-shelley, bk-frankenstein, bk-last-man',
      'cookie=theme',
    ],
    ['/slow', 200, 'max-age=1, stale-while-revalidate=86400', null, 'cookie=theme'],
    ['/books/none', 404, 'max-age=60', 'books, book', null],
    ['/author/none', 404, 'max-age=60', 'authors, author', null],
  ];
  for (const [path, status, lifetime, tags, vary] of RECIPES) {
    test(path, async () => {
      const page = await world.get(path);
      assert.equal(page.status, status);
      assert.equal(page.headers.get('cache-control'), 'public, max-age=0, must-revalidate');
      assert.equal(page.headers.get('netlify-cdn-cache-control'), lifetime);
      assert.equal(page.headers.get('netlify-cache-tag'), tags?.replaceAll(', ', ',') ?? null);
      assert.equal(page.headers.get('netlify-vary'), vary);
      assert.ok(page.render > 0 && page.renderedAt, 'the page says when it was rendered');
    });
  }

  test('addresses that are no page are for no cache', async () => {
    for (const path of ['/nothing', '/api/renders.json']) {
      const page = await world.get(path);
      assert.equal(page.headers.get('cache-control'), 'no-store');
      assert.equal(page.headers.get('netlify-cdn-cache-control'), null);
    }
  });

  test('each page is rendered once a request, and the app counts it', async () => {
    const before = (await world.renders()).pages['/books/typee'] ?? 0;
    const [first, second] = [await world.get('/books/typee'), await world.get('/books/typee')];
    assert.notEqual(first.render, second.render);
    assert.equal((await world.renders()).pages['/books/typee'], before + 2);
  });
});

describe('the theme', () => {
  const choose = (fields) => world.get(`/theme?${new URLSearchParams(fields)}`);

  test('follows the cookie', async () => {
    assert.equal((await world.get('/')).theme, null);
    for (const theme of ['dark', 'light'])
      assert.equal((await world.get('/', { headers: { Cookie: `theme=${theme}` } })).theme, theme);
    assert.equal((await world.get('/', { headers: { Cookie: 'theme=x"><script>' } })).theme, null);
  });

  test('is kept in a cookie, and the visitor returns to where they were', async () => {
    const answer = await choose({ to: 'dark', back: '/books/emma?a=b' });
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get('location'), '/books/emma?a=b');
    assert.match(answer.headers.get('set-cookie'), /^theme=dark;/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  });

  test('never sends anyone to another site', async () => {
    for (const back of [
      '//elsewhere.example',
      '/\\elsewhere.example',
      'http://elsewhere.example',
      'x',
      '/a\r\nb: c',
    ]) {
      assert.equal((await choose({ to: 'dark', back })).headers.get('location'), '/');
    }
    assert.equal((await choose({ to: 'red' })).status, 400);
  });
});

describe('the webhook', () => {
  const entry = { sys: { id: 'bk-emma', type: 'Entry', contentType: { sys: { id: 'book' } } }, fields: {} };
  const headers = {
    'Content-Type': 'application/vnd.contentful.management.v1+json',
    'X-Contentful-Topic': 'ContentManagement.Entry.publish',
    'X-Webhook-Secret': 'bookshelf-webhook-secret',
  };
  const hook = (body, changed = {}) =>
    world.get('/api/webhook.json', {
      method: 'POST',
      headers: { ...headers, ...changed },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  test('purges the entry’s id and its content type, by freshet’s API', async () => {
    const answer = await hook(entry);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.equal(freshet.received.length, 1);
    const [{ url, headers: sent, body }] = freshet.received;
    assert.equal(url, '/api/v1/purge');
    assert.equal(sent.authorization, 'Bearer the-token');
    assert.deepEqual(body, { cache_tags: ['bk-emma', 'book'] });
  });

  test('without the right secret it does nothing', async () => {
    for (const secret of ['', 'guess', 'bookshelf-webhook-secret2']) {
      assert.equal((await hook(entry, { 'X-Webhook-Secret': secret })).status, 401);
    }
    assert.deepEqual(freshet.received, []);
  });

  test('what is no published entry purges nothing', async () => {
    assert.equal((await hook(entry, { 'X-Contentful-Topic': 'ContentManagement.Entry.save' })).status, 200);
    for (const body of [
      '{',
      'null',
      {},
      { sys: { id: 'a' } },
      { sys: { id: 'a, books', contentType: { sys: { id: 'book' } } } },
    ]) {
      assert.equal((await hook(body)).status, 400);
    }
    assert.equal((await hook(' '.repeat(1024 * 1024 + 1))).status, 413);
    assert.deepEqual(freshet.received, []);
  });

  test('a purge that fails is told to the CMS, with the reason', async () => {
    freshet.answers = [{ status: 401, body: 'wrong token' }];
    const answer = await hook(entry);
    assert.equal(answer.status, 502);
    assert.match(JSON.parse(answer.text).reason, /401.*wrong token.*token came from/);
  });

  test('the app tries again what may pass by itself', async () => {
    freshet.answers = [{ status: 503 }, { cut: true }, ...PURGED];
    const webhook = await world.publish('book', 'bk-emma', {});
    assert.deepEqual([webhook.state, webhook.tries, freshet.received.length], ['delivered', 1, 3]);
  });

  test('the CMS tries again until the purge has been taken', async () => {
    freshet.answers = [{ status: 401 }, { status: 404 }, ...PURGED];
    const webhook = await world.publish('book', 'bk-emma', {});
    assert.deepEqual([webhook.state, webhook.tries, freshet.received.length], ['delivered', 3, 3]);
  });
});

describe('an edit purges the pages that show it, and no other', () => {
  /** The pages whose tags were purged by what `edit` does. */
  async function purgedBy(edit) {
    const pages = await Promise.all(PAGES.map((path) => world.get(path)));
    await edit();
    assert.equal(freshet.received.length, 1);
    const { cache_tags: purged } = freshet.received[0].body;
    return pages.filter((page) => tagsOf(page).some((tag) => purged.includes(tag))).map(({ path }) => path);
  }

  test('a book: its page, the lists, its author’s page, and what was not found', async () => {
    const purged = await purgedBy(() => world.publish('book', 'bk-emma', { title: 'Emma, again' }));
    assert.deepEqual(purged, ['/', '/?page=2', '/books/emma', '/books/none-yet', '/author/jane-austen']);
    assert.equal((await world.get('/books/emma')).title, 'Emma, again');
  });

  test('an author: their page, their books, the lists that name them', async () => {
    const purged = await purgedBy(() => world.publish('author', 'au-austen', {}));
    assert.deepEqual(purged, ['/', '/?page=2', '/books/emma', '/books/persuasion', '/author/jane-austen']);
  });

  test('a book that is new: its author’s page too, which cannot know its id', async () => {
    const book = { title: 'None Yet', slug: 'none-yet', author: 'au-melville', year: '1900' };
    const purged = await purgedBy(() => world.publish('book', null, book));
    assert.deepEqual(purged, ['/', '/?page=2', '/books/none-yet', '/author/herman-melville']);
  });

  test('a book that moves to another author: the pages of both', async () => {
    const purged = await purgedBy(() => world.publish('book', 'bk-typee', { author: 'au-austen' }));
    assert.deepEqual(purged, [
      '/',
      '/?page=2',
      '/books/typee',
      '/author/jane-austen',
      '/author/herman-melville',
    ]);
  });

  test('a book that is deleted: its page, the lists, its author’s page', async () => {
    const purged = await purgedBy(() => world.unpublish('book', 'bk-persuasion'));
    assert.deepEqual(purged, ['/', '/?page=2', '/books/persuasion', '/author/jane-austen']);
    assert.equal((await world.get('/books/persuasion')).status, 404);
  });
});

describe('without its CMS', () => {
  test('a page that cannot be made is a 503 that nobody keeps', async () => {
    await world.kill('cms');
    const page = await world.get('/books/emma');
    assert.equal(page.status, 503);
    assert.equal(page.headers.get('cache-control'), 'no-store');
    assert.equal(page.headers.get('netlify-cdn-cache-control'), null);
    await until('the reason in the log', () =>
      world.lines.some((line) => /The CMS at .* does not answer/.test(line)),
    );
  });
});
