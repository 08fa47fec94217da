// A person with Chromium who clicks through a site: what is read behind freshet is what is read without it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { until } from './world.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const PATIENCE_MS = 180_000; // of a step, on a machine that does much else
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/**
 * Reads the site at the port `direct`, page for page, then clicks twice through the one at `front`, which must show the same and answer some of
 * it from the cache the second time. `from`: where to begin; `wanted(path)`: which links to follow; `most`: how many pages.
 */
export async function sameInChromium({ direct, front, from = '/', wanted = () => true, most = 6 }) {
  const browser = await openChromium();
  try {
    const { pages, troubles } = await readAll(await visitor(browser, direct), { from, wanted, most });
    assert.ok(pages.length > 2, `only ${pages.map(({ path }) => path)} can be reached`);
    for (const time of ['first', 'second']) {
      const behind = await visitor(browser, front);
      await clickThrough(behind, pages);
      assert.deepEqual(behind.troubles.filter((one) => !troubles.includes(one)), [], time);
      if (time === 'second') assert.ok(behind.hits > 0, 'nothing came from the cache');
      await behind.context.close();
    }
  } finally {
    await browser.close();
  }
}

export function openChromium() {
  assert.ok(existsSync(CHROMIUM), `${CHROMIUM} is missing: apt-get install chromium, or set CHROMIUM`);
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS, timeout: PATIENCE_MS });
}

/** Somebody without cookies and history, who is told what goes wrong and what came from freshet's cache. */
export async function visitor(browser, port) {
  const context = await browser.newContext();
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const base = `http://127.0.0.1:${port}`;
  const one = { context, page, base, port, troubles: [], hits: 0 };
  const isHere = (url) => url.startsWith(`${base}/`);
  await page.route((url) => !isHere(url.href), (route) => route.abort()); // a site of the test needs nobody else's
  page.on('pageerror', (error) => one.troubles.push(String(error).replaceAll(String(port), 'PORT')));
  page.on('response', (response) => {
    if (!isHere(response.url())) return;
    if (/freshet; hit/.test(response.headers()['cache-status'] ?? '')) one.hits++;
    if (response.status() >= 400) one.troubles.push(`${response.status()} for ${response.url().slice(base.length)}`);
  });
  return one;
}

async function words({ page, port }) {
  // Frameworks announce a new page to who does not see it, in an element of their own.
  await page.locator('[aria-live]').evaluateAll((all) => all.forEach((one) => (one.hidden = true)));
  const all = `${await page.title()}\n${await page.locator('body').innerText()}`;
  return all.replaceAll(String(port), 'PORT').replace(/\d{12,}/g, 'TIME').trim();
}

/** Each page as it is loaded: its path, its words, and on which page before it a link leads there. */
async function readAll(one, { from, wanted, most }) {
  const pages = [{ path: from }];
  for (const now of pages) {
    await one.page.goto(one.base + now.path);
    now.words = await words(one);
    for (const { href } of await links(one)) {
      const path = href.slice(one.base.length);
      if (href.startsWith(`${one.base}/`) && pages.length < most && wanted(path) && !pages.some((other) => other.path === path)) pages.push({ path, at: now.path });
    }
  }
  await one.context.close();
  return { pages, troubles: one.troubles };
}

/** The links that a person sees. */
const links = ({ page }) =>
  page.locator('a[href]').evaluateAll((all) => all.filter((a) => a.offsetParent && !a.target).map((a) => ({ href: a.href.split('#')[0] })));

async function clickThrough(one, pages) {
  const { page, base } = one;
  for (const { path, at, words: wanted } of pages) {
    if (at === undefined) await page.goto(base + path);
    else {
      if (page.url() !== base + at) await page.goto(base + at);
      // A framework that wakes up meanwhile may make the link anew.
      await until(() => `a click from ${at} to ${path}; at ${page.url()}`, async () => {
        if (page.url() === base + path) return true;
        await page.locator('a[href]').evaluateAll((all, href) => all.find((a) => a.offsetParent && a.href.split('#')[0] === href)?.click(), base + path).catch(() => {});
        return page.waitForURL(base + path, { timeout: 10_000, waitUntil: 'commit' }).then(() => true, () => false);
      }, PATIENCE_MS);
    }
    let read = '';
    await until(() => `${path} to be read as without freshet:\n${wanted}\n---- but\n${read}`, async () => (read = await words(one).catch(() => '')) === wanted, PATIENCE_MS);
  }
}
