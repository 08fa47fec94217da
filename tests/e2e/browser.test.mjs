// A person with a browser: reads the shelf, changes a title in the CMS, reloads, and sees it. Screenshots in out/.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { standInFor } from './lib/receiver.mjs';
import { FRESHET, startWorld, until } from './lib/world.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
// E2E_WITHOUT_FRESHET=1 walks through the site and its CMS alone, for work on those.
const throughFreshet = !process.env.E2E_WITHOUT_FRESHET;
const OUT = fileURLToPath(new URL('out', import.meta.url));

let world;
let browser;
let page;
let standIn;
const troubles = [];

const launch = (env) =>
  chromium.launch({
    executablePath: CHROMIUM,
    env,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });

before(async () => {
  assert.ok(existsSync(CHROMIUM), `${CHROMIUM} is missing: apt-get install chromium, or set CHROMIUM`);
  mkdirSync(OUT, { recursive: true });
  world = await startWorld({ freshet: throughFreshet });
  if (!throughFreshet) standIn = await standInFor(world);
  browser = await launch();
  page = await (
    await browser.newContext({ viewport: { width: 1100, height: 850 }, colorScheme: 'light' })
  ).newPage();
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    // So the browser says when it gives up itself what still comes as a page is left; what a server does has other names.
    if (why !== 'net::ERR_ABORTED') troubles.push(`${request.url()}: ${why}`);
  });
  page.on(
    'response',
    (response) => response.status() >= 500 && troubles.push(`${response.url()}: ${response.status()}`),
  );
});

after(async () => {
  await browser?.close();
  await world?.stop();
  await standIn?.close();
});

const shot = (name) => page.screenshot({ path: join(OUT, `${name}.png`), fullPage: true });
// Who leaves a page that still loads makes its request fail.
const wholly = () => page.waitForLoadState('load');
const render = async () => Number(await page.locator('#render').textContent());

test('home, a book, an edit in the CMS, and the new title after a reload', async () => {
  await wholly();
  await page.goto(world.site);
  assert.equal(await page.locator('h1').textContent(), '12 books');
  assert.equal(await page.locator('.card').count(), 6);
  await shot('1-home');

  await page.getByRole('link', { name: 'Emma' }).first().click();
  await page.getByRole('heading', { name: 'Emma', exact: true }).waitFor();
  await shot('2-book');
  const before = await render();
  await wholly();
  const hit = await page.reload();
  if (throughFreshet) {
    assert.equal(await render(), before);
    assert.match((await hit.headerValue('cache-status')) ?? '', /freshet;\s*hit/);
  }

  const cms = await page.context().newPage();
  await cms.goto(world.cms);
  await cms.screenshot({ path: join(OUT, '3-cms-list.png'), fullPage: true });
  await cms.getByRole('link', { name: 'Emma' }).click();
  await cms.getByLabel('Title').fill('Emma, as edited');
  await cms.screenshot({ path: join(OUT, '4-cms-form.png'), fullPage: true });
  await cms.getByRole('button', { name: 'Publish' }).click();
  await cms.waitForURL('**/?done=published*');
  assert.match(await cms.getByRole('status').textContent(), /“Emma, as edited” is published/);
  await until('the webhook to be delivered', async () => (await world.webhooks())[0]?.state === 'delivered');
  await cms.reload();
  assert.match(await cms.locator('#webhooks').textContent(), /delivered, 1 try/);
  await cms.screenshot({ path: join(OUT, '5-cms-published.png'), fullPage: true });
  await cms.close();

  await wholly();
  await page.reload();
  assert.equal(await page.locator('h1').textContent(), 'Emma, as edited');
  assert.ok((await render()) > before);
  await shot('6-book-edited');

  await page.getByRole('link', { name: 'Jane Austen' }).click();
  await page.locator('.card-title', { hasText: 'Emma, as edited' }).waitFor();
  await shot('7-author');
  await page.getByRole('link', { name: 'Bookshelf', exact: true }).click();
  await page.locator('.card-title', { hasText: 'Emma, as edited' }).waitFor();
});

test('over https, as a browser sees it that was told to trust the local authority', async (t) => {
  if (!throughFreshet) return t.skip();
  // A home of its own, and no way to change the system's store.
  const home = join(world.folder, 'home');
  const bin = join(home, 'bin');
  mkdirSync(bin, { recursive: true });
  symlinkSync(execFileSync('sh', ['-c', 'command -v certutil'], { encoding: 'utf8' }).trim(), join(bin, 'certutil'));
  // The browser makes its store where it does by itself, when it meets https for the first time.
  const env = { ...process.env, HOME: home, XDG_DATA_HOME: '', XDG_CONFIG_HOME: '' };
  const first = await launch(env);
  await assert.rejects((await first.newPage()).goto(world.secure), /ERR_CERT_AUTHORITY_INVALID/);
  await first.close();
  const trust = spawnSync(FRESHET, ['trust', '--state', world.stack.state], { env: { ...env, PATH: bin }, encoding: 'utf8' });
  assert.match(trust.stdout, /nssdb: believes it; restart the browser/, trust.stdout + trust.stderr);
  const other = await launch(env);
  try {
    const secure = await other.newPage();
    await secure.goto(world.secure);
    assert.equal(await secure.locator('h1').textContent(), '12 books');
    await secure.getByRole('link', { name: 'Persuasion' }).first().click();
    await secure.getByRole('heading', { name: 'Persuasion', exact: true }).waitFor();
    await secure.waitForLoadState('load');
    const hit = await secure.reload();
    assert.match((await hit.headerValue('cache-status')) ?? '', /freshet;\s*hit/);
    assert.equal((await hit.securityDetails()).protocol, 'TLS 1.3');
    assert.equal(await secure.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h2');
  } finally {
    await other.close();
  }
  const stranger = await browser.newPage();
  await assert.rejects(stranger.goto(world.secure), /ERR_CERT_AUTHORITY_INVALID/, 'nobody else believes it');
  await stranger.close();
});

test('the theme is kept, on every page, and the way back leads to where it was chosen', async () => {
  await wholly();
  await page.goto(`${world.site}/?sort=year`);
  await page.getByRole('button', { name: 'Switch to the dark theme' }).click();
  await page.locator('html[data-theme=dark]').waitFor();
  assert.equal(page.url(), `${world.site}/?sort=year`);
  await shot('8-home-dark');
  await page.getByRole('link', { name: 'Typee' }).first().click();
  await page.locator('html[data-theme=dark]').waitFor();
  await shot('9-book-dark');
  await page.getByRole('button', { name: 'Switch to the light theme' }).click();
  await page.locator('html[data-theme=light]').waitFor();
});

test('sorting, leafing and the page in numbers', async () => {
  await wholly();
  await page.goto(world.site);
  await page.getByRole('link', { name: 'By year' }).click();
  await page.waitForURL('**/?sort=year');
  assert.match(await page.locator('.card-title').first().textContent(), /Pride and Prejudice/);
  await page.getByRole('link', { name: '2', exact: true }).click();
  await page.waitForURL('**/?sort=year&page=2');
  assert.match(await page.locator('.card-title').last().textContent(), /The War of the Worlds/);
  await wholly();
  await page.goto(`${world.site}/slow`);
  await page.getByRole('heading', { name: 'The shelf in numbers' }).waitFor();
  await shot('10-slow');
});

test('the bar says what freshet did: a miss, then a hit, and what was purged', async (t) => {
  if (!throughFreshet) return t.skip();
  const bar = page.locator('.freshet');
  const verdict = async () => {
    await page.locator('.freshet[data-verdict]').waitFor();
    return page.locator('#freshet-verdict').textContent();
  };
  await world.publish('book', 'bk-frankenstein', {});
  await wholly();
  await page.goto(`${world.site}/books/frankenstein`);
  assert.equal(await verdict(), 'miss');
  await wholly();
  await page.reload();
  assert.equal(await verdict(), 'hit');
  assert.match(await bar.textContent(), /\d+ s old/);
  assert.match(await bar.textContent(), /the app took \d+ ms, the answer through freshet \d+ ms/);
  assert.deepEqual(await bar.locator('code').allTextContents(), ['bk-frankenstein', 'au-shelley']);
  await bar.getByText('tags bk-frankenstein, book, books-by-au-shelley').waitFor();
  await shot('12-bar');

  await wholly();
  await page.goto(`${world.site}/nothing-here`);
  assert.equal(await verdict(), 'not kept');
  await wholly();
  await page.goto(`${world.app}/books/frankenstein`);
  assert.equal(await verdict(), 'asked the app itself');
});

test('site and CMS lead to each other, and the CMS names the purged tags', async () => {
  await wholly();
  await page.goto(`${world.site}/books/frankenstein`);
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByRole('button', { name: 'Publish' }).click();
  await page.waitForURL('**/?done=published*');
  await until('the webhook', async () => (await world.webhooks())[0]?.state === 'delivered');
  await wholly();
  await page.reload();
  assert.match(await page.locator('#webhooks').textContent(), /purged bk-frankenstein, book, books-by-au-shelley/);
  await page.getByRole('row', { name: 'Frankenstein' }).getByRole('link', { name: 'see it' }).click();
  assert.equal(page.url(), `${world.site}/books/frankenstein`);
});

test('in the dark, 390 px wide, nothing is cut off', async () => {
  const phone = await (await browser.newContext({ viewport: { width: 390, height: 800 }, colorScheme: 'dark' })).newPage();
  for (const [name, url] of [['13-phone', `${world.site}/`], ['14-phone-book', `${world.site}/books/around-the-world-in-eighty-days`], ['15-phone-slow', `${world.site}/slow`], ['16-phone-cms', world.cms]]) {
    await phone.goto(url);
    if (url.startsWith(world.site)) await phone.locator('.freshet[data-verdict]').waitFor();
    await phone.screenshot({ path: join(OUT, `${name}.png`), fullPage: true });
    assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 390, url);
  }
  await phone.context().close();
});

test('a book that is not there', async () => {
  await wholly();
  const response = await page.goto(`${world.site}/books/not-there`);
  assert.equal(response.status(), 404);
  await page.getByRole('heading', { name: 'No such book' }).waitFor();
  await shot('11-not-found');
});

test('no page had a script error, a failed request or a server error', () => {
  assert.deepEqual(troubles, []);
});
