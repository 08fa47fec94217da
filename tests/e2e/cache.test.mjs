// The bookshelf behind freshet: each page is rendered once, and again when what it shows was edited, and only then.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startWorld, until } from './lib/world.mjs';

let world;

before(async () => {
  world = await startWorld();
});
after(() => world?.stop());

// By message: a whole page in an error helps nobody.
const assertShows = (page, text) =>
  assert.ok(page.text.includes(text), `${page.path} does not show “${text}”`);
const isStale = ({ cacheStatus }) => /ttl=-[1-9]|refreshing/.test(cacheStatus);

describe('a page', () => {
  test('is a miss, stored, and from then on a hit', async () => {
    const first = await world.getMiss('/books/frankenstein');
    assert.equal(first.status, 200);
    assert.match(first.cacheStatus, /freshet;\s*fwd=uri-miss/);
    assert.ok(first.stored, first.cacheStatus);
    const rendered = (await world.renders()).total;
    for (let i = 0; i < 5; i++) {
      const again = await world.getHit('/books/frankenstein');
      assert.equal(again.status, 200);
      assert.equal(again.render, first.render);
      assert.equal(again.renderedAt, first.renderedAt);
      assert.ok(again.text === first.text);
      assert.match(again.headers.get('age'), /^\d+$/);
    }
    assert.equal((await world.renders()).total, rendered);
  });

  test('tells the browser to ask again, and keeps the CDN’s own headers to itself', async () => {
    for (const page of [await world.get('/books/the-last-man'), await world.getHit('/books/the-last-man')]) {
      assert.equal(page.headers.get('cache-control'), 'public, max-age=0, must-revalidate');
      assert.equal(page.headers.get('netlify-cdn-cache-control'), null);
      assert.equal(page.headers.get('netlify-cache-tag'), null);
    }
  });

  test('is not sent again to a browser that has it', async () => {
    await world.get('/books/moby-dick');
    const page = await world.getHit('/books/moby-dick');
    const etag = page.headers.get('etag');
    assert.ok(etag, 'freshet gives a validator');
    const again = await world.get('/books/moby-dick', { headers: { 'If-None-Match': etag } });
    assert.equal(again.status, 304);
    assert.equal(again.text, '');
  });

  test('that twenty visitors ask for at once is rendered once', async () => {
    const pages = await Promise.all(Array.from({ length: 20 }, () => world.get('/author/h-g-wells')));
    assert.deepEqual([...new Set(pages.map(({ status }) => status))], [200]);
    assert.equal(new Set(pages.map(({ render }) => render)).size, 1);
    assert.equal((await world.renders()).pages['/author/h-g-wells'], 1);
  });

  test('that is kept answers HEAD as well', async () => {
    await world.get('/books/typee');
    const head = await world.getHit('/books/typee', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.text, '');
    assert.equal((await world.renders()).pages['/books/typee'], 1);
  });

  test('that does not exist is kept as well, as a 404', async () => {
    const first = await world.getMiss('/books/no-such-book');
    assert.equal(first.status, 404);
    assert.ok(first.stored, first.cacheStatus);
    const again = await world.getHit('/books/no-such-book');
    assert.equal(again.status, 404);
    assert.equal(again.render, first.render);
  });

  test('without a caching header is never kept', async () => {
    for (let i = 0; i < 2; i++) assert.ok(!(await world.getMiss('/no-such-page')).stored);
  });
});

describe('variants', () => {
  test('a listed query parameter makes a page of its own, an unlisted one does not', async () => {
    const home = await world.get('/');
    const byYear = await world.get('/?sort=year');
    const second = await world.get('/?page=2');
    assert.equal(new Set([home.render, byYear.render, second.render]).size, 3);
    assert.ok(home.text !== byYear.text);

    assert.equal((await world.getHit('/?utm_source=letter')).render, home.render);
    assert.equal((await world.getHit('/?whatever=1')).render, home.render);
    assert.equal((await world.getHit('/?sort=year&whatever=1')).render, byYear.render);
    const renders = (await world.renders()).pages;
    assert.equal(renders['/'], 1);
    assert.equal(renders['/?whatever=1'], undefined);
  });

  test('the order of the parameters does not matter', async () => {
    const one = await world.get('/?sort=title&per_page=3');
    const other = await world.getHit('/?per_page=3&sort=title');
    assert.equal(other.render, one.render);
  });

  test('each theme has its own page, whatever other cookies there are', async () => {
    const page = (cookie) => world.get('/books/emma', cookie ? { headers: { Cookie: cookie } } : {});
    const [plain, dark, light] = [await page(), await page('theme=dark'), await page('theme=light')];
    assert.deepEqual([plain.theme, dark.theme, light.theme], [null, 'dark', 'light']);
    assert.equal(new Set([plain.render, dark.render, light.render]).size, 3);
    for (const [cookie, first] of [
      ['visits=7', plain],
      ['visits=7; theme=dark', dark],
      ['theme=light; a=b', light],
    ]) {
      const again = await page(cookie);
      assert.ok(again.isHit, `${cookie}: ${again.cacheStatus}`);
      assert.equal(again.render, first.render);
    }
    assert.equal((await world.renders()).pages['/books/emma'], 3);
  });

  test('the choice of a theme is each visitor’s own, and costs no page', async () => {
    const page = await world.get('/books/emma');
    for (const to of ['dark', 'light', 'dark']) {
      const answer = await world.getMiss(`/theme?to=${to}&back=/books/emma`);
      assert.equal(answer.status, 303);
      assert.equal(answer.headers.get('location'), '/books/emma');
      assert.ok(answer.headers.get('set-cookie').startsWith(`theme=${to};`));
      assert.ok(!answer.stored, answer.cacheStatus);
    }
    assert.equal((await world.getHit('/books/emma')).render, page.render);
  });
});

describe('an edit in the CMS', () => {
  const PAGES = [
    '/',
    '/?page=2',
    '/books/persuasion',
    '/books/emma',
    '/books/the-time-machine',
    '/author/jane-austen',
    '/author/jules-verne',
  ];

  /** Warms all pages, does `edit`, and returns the paths whose page was rendered anew. The others must still be hits. */
  async function changedBy(edit) {
    const before = new Map();
    for (const path of PAGES) {
      await world.get(path);
      before.set(path, await world.getHit(path));
    }
    const queriesBefore = (await world.queries()).total;
    await edit();
    const changed = [];
    for (const path of PAGES) {
      // The purge was in force before the webhook was answered: the very next request must see it.
      const now = await world.get(path);
      if (now.isHit) {
        assert.equal(now.render, before.get(path).render);
        assert.equal(now.renderedAt, before.get(path).renderedAt);
        continue;
      }
      assert.ok(now.render > before.get(path).render, path);
      assert.ok(now.renderedAt > before.get(path).renderedAt, path);
      changed.push(path);
    }
    // The CMS was asked once for each page that was rendered anew, and for nothing else.
    assert.equal((await world.queries()).total, queriesBefore + changed.length);
    return changed;
  }

  test('of a book renders its page, the lists and its author’s page anew, and no other', async () => {
    const changed = await changedBy(() =>
      world.publish('book', 'bk-persuasion', { title: 'Persuasion, second edition' }),
    );
    assert.deepEqual(changed, ['/', '/?page=2', '/books/persuasion', '/author/jane-austen']);
    for (const path of ['/', '/books/persuasion', '/author/jane-austen'])
      assertShows(await world.getHit(path), 'Persuasion, second edition');
  });

  test('of an author renders their page, their books and the lists anew', async () => {
    const changed = await changedBy(() => world.publish('author', 'au-austen', { name: 'J. Austen' }));
    assert.deepEqual(changed, ['/', '/?page=2', '/books/persuasion', '/books/emma', '/author/jane-austen']);
    assertShows(await world.getHit('/books/emma'), 'J. Austen');
  });

  test('reaches every variant of a page', async () => {
    const dark = { headers: { Cookie: 'theme=dark' } };
    const [plain, themed] = [
      await world.get('/books/the-time-machine'),
      await world.get('/books/the-time-machine', dark),
    ];
    await world.publish('book', 'bk-machine', { title: 'The Time Machine, bound in blue' });
    for (const [options, old] of [
      [{}, plain],
      [dark, themed],
    ]) {
      const now = await world.getMiss('/books/the-time-machine', options);
      assert.equal(now.title, 'The Time Machine, bound in blue');
      assert.equal(now.theme, old.theme);
      assert.ok(now.render > old.render);
    }
  });

  test('that publishes a book that was asked for before it existed makes it appear everywhere', async () => {
    await world.get('/books/mathilda');
    assert.equal((await world.getHit('/books/mathilda')).status, 404);
    await world.get('/author/mary-shelley');
    await world.getHit('/author/mary-shelley');
    await world.publish('book', null, {
      title: 'Mathilda',
      slug: 'mathilda',
      author: 'au-shelley',
      year: '1820',
    });
    assert.equal((await world.getMiss('/books/mathilda')).status, 200);
    assertShows(await world.getMiss('/author/mary-shelley'), 'Mathilda');
    assertShows(await world.getMiss('/'), '13 books');
  });

  test('that deletes a book makes it vanish', async () => {
    await world.get('/books/typee');
    await world.getHit('/books/typee');
    await world.unpublish('book', 'bk-typee');
    assert.equal((await world.getMiss('/books/typee')).status, 404);
    assert.ok(!(await world.get('/author/herman-melville')).text.includes('Typee'));
  });

  test('is taken only with the webhook’s secret, through freshet as well', async () => {
    await world.get('/books/emma');
    const answer = await world.get('/api/webhook.json', {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'X-Contentful-Topic': 'ContentManagement.Entry.publish',
        'X-Webhook-Secret': 'guess',
      },
      body: JSON.stringify({ sys: { id: 'bk-emma', contentType: { sys: { id: 'book' } } } }),
    });
    assert.equal(answer.status, 401);
    assert.match(answer.cacheStatus, /freshet;\s*fwd=method/);
    await world.getHit('/books/emma');
  });
});

describe('a slow page', () => {
  test('is waited for once; when its time is over the old one comes at once and a new one is fetched behind it', async () => {
    const slowMs = 400;
    const first = await world.get('/slow');
    assert.ok(first.tookMs >= slowMs - 20, `took only ${first.tookMs} ms`);

    // Its one fresh second passes; then one visitor gets it stale, at once. On a busy machine that takes some rounds.
    let known = first;
    const stale = await until('a stale page at once', async () => {
      const page = await world.getHit('/slow'), isKnown = page.render === known.render;
      known = page;
      return isStale(page) && isKnown && page.tookMs < slowMs - 50 && page;
    });
    const renewed = await until('the new page', async () => {
      const page = await world.getHit('/slow');
      return page.render !== stale.render && page;
    });
    assert.ok(renewed.renderedAt > first.renderedAt);
  });

  test('is refreshed once, however many ask', async () => {
    await world.get('/slow');
    const before = (await world.renders()).pages['/slow'];
    const stale = await until('a stale page', async () => {
      const pages = await Promise.all(Array.from({ length: 8 }, () => world.getHit('/slow')));
      return pages.every(isStale) && pages[0];
    });
    await until('the new page', async () => (await world.getHit('/slow')).render !== stale.render);
    // Polling may have seen further seconds pass; each may have cost one render, eight visitors never eight.
    const spent = (await world.renders()).pages['/slow'] - before;
    assert.ok(spent >= 1 && spent <= 4, `${spent} renders`);
  });
});

describe('when the CMS is down', () => {
  test('what is kept is still shown, what is not is an error that is not kept', async () => {
    const kept = await world.get('/books/the-war-of-the-worlds');
    await world.kill('cms');
    assert.equal((await world.getHit('/books/the-war-of-the-worlds')).render, kept.render);
    for (let i = 0; i < 2; i++) {
      const page = await world.getMiss('/books/around-the-world-in-eighty-days');
      assert.equal(page.status, 503);
      assert.ok(!page.stored, page.cacheStatus);
    }
  });
});

describe('when the app is down', () => {
  test('what is kept is still shown, the rest is freshet’s own error', async () => {
    await world.kill('app');
    await world.getHit('/books/the-war-of-the-worlds');
    const page = await world.getMiss('/books/journey-to-the-centre-of-the-earth');
    assert.ok([502, 503, 504].includes(page.status), `${page.status}`);
    assert.equal(page.headers.get('cache-control'), 'no-store');
  });
});
