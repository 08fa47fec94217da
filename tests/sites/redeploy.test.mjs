// Next, Nuxt, SvelteKit and Astro are deployed while somebody has a page open in Chromium: what the page still wants of its build is there,
// the link leads on, and whoever comes or asks for news gets the new build at once. CACHING.md 5.9, 5.10.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { Front, ask } from '../e2e/lib/front.mjs';
import { openChromium, visitor } from '../e2e/lib/walk.mjs';
import { FRESHET, freePorts, until } from '../e2e/lib/world.mjs';

const NEXT = 'node_modules/next/dist/bin/next';

/** How each is built and started, where its assets lie, whether a script of `/` names that of `/other`, by which file pages learn of a new build. */
const FRAMEWORKS = {
  next: { build: [NEXT, 'build'], start: (port) => [NEXT, 'start', '-p', `${port}`, '-H', '127.0.0.1'], assets: ['.next/static', '/_next/static/'] },
  nuxt: { build: ['node_modules/nuxt/bin/nuxt.mjs', 'build'], start: () => ['.output/server/index.mjs'], assets: ['.output/public/_nuxt', '/_nuxt/'],
    linked: true, news: '/_nuxt/builds/latest.json' },
  svelte: { build: ['node_modules/vite/bin/vite.js', 'build'], start: () => ['build/index.js'], assets: ['build/client/_app/immutable', '/_app/immutable/'],
    linked: true, news: '/_app/version.json' },
  astro: { build: ['node_modules/astro/bin/astro.mjs', 'build'], start: () => ['dist/server/entry.mjs'], assets: ['dist/client/_astro', '/_astro/'] },
};
const QUIET = { NEXT_TELEMETRY_DISABLED: '1', NUXT_TELEMETRY_DISABLED: '1', ASTRO_TELEMETRY_DISABLED: '1' };

const filesOf = (folder) => readdirSync(folder, { recursive: true }).filter((name) => statSync(join(folder, name)).isFile());

/** One build of an app of tests/sites/redeploy, whose pages and scripts say which one it is. */
class Build {
  static async of(framework, name) {
    const one = new Build();
    Object.assign(one, FRAMEWORKS[framework], { name, app: new App(`redeploy/${framework}`, { modules: framework, link: framework === 'svelte', env: QUIET }) });
    const { root } = one.app;
    for (const file of filesOf(root).filter((path) => !path.startsWith('node_modules/'))) {
      const text = readFileSync(join(root, file), 'utf8');
      if (text.includes('BUILD')) writeFileSync(join(root, file), text.replaceAll('BUILD', name));
    }
    await one.app.build(one.build);
    return one;
  }

  get url() {
    return `http://127.0.0.1:${this.app.port}`;
  }

  async run(port) {
    this.app.port = port;
    await this.app.start(this.start(port));
  }

  /** The path of the script with these words. */
  asset(words) {
    const folder = join(this.app.root, this.assets[0]);
    const name = filesOf(folder).find((file) => file.endsWith('.js') && readFileSync(join(folder, file), 'utf8').includes(words));
    assert.ok(name, `no script of ${this.name} has “${words}”`);
    return this.assets[1] + name;
  }
}

const isCode = (request) => ['script', 'stylesheet'].includes(request.resourceType());

/** Somebody with a page open; `troubles` has what went wrong with its scripts and styles. */
async function open(browser, front) {
  const one = await visitor(browser, front.port);
  one.asked = [];
  one.page.on('request', (request) => one.asked.push(new URL(request.url()).pathname));
  // Leaving a page ends what it still loads.
  one.page.on('requestfailed', (request) => isCode(request) && request.failure()?.errorText !== 'net::ERR_ABORTED' && one.troubles.push(`failed: ${request.url()}`));
  await one.page.goto(`${one.base}/`);
  await one.page.locator('button.ready').waitFor();
  return one;
}

const more = (page) => page.locator('button').click();
const heading = async (page, words) => {
  await page.waitForURL('**/other');
  await until('the heading of the other page', async () => words.test((await page.locator('h1').textContent().catch(() => '')) ?? ''), 60_000);
};
const troublesOf = (one) => one.troubles.filter((trouble) => !trouble.endsWith('/favicon.ico'));
const BROWSER = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
const isStored = async (front, path) => (await front.get(path, { headers: { ...BROWSER, 'Cache-Control': 'only-if-cached' } })).status === 200;

function freshet(front, ...args) {
  const done = spawnSync(FRESHET, [...args, '--admin', front.admin, '--token', front.token], { encoding: 'utf8', env: { ...process.env, FRESHET_RUNTIME_DIR: '' } });
  assert.equal(done.status, 0, done.stdout + done.stderr);
  return done.stdout;
}

let browser;
before(async () => (browser = await openChromium()), { timeout: 240_000 });
after(() => browser?.close());

for (const framework of Object.keys(FRAMEWORKS))
  describe(framework, () => {
    const { linked } = FRAMEWORKS[framework];
    let a, b, front, other, reader;

    before(async () => {
      a = await Build.of(framework, 'build-one');
      b = await Build.of(framework, 'build-two');
      const ports = await freePorts(2);
      await a.run(ports[0]);
      other = ports[1];
      front = await Front.start(a.url);
    }, { timeout: 600_000 });

    after(async () => {
      await reader?.context.close();
      await front?.stop();
      for (const one of [a, b]) await one?.app.stop();
    });

    test('the scripts that an open page may want later are kept, though nobody asked for them', async () => {
      assert.notEqual(a.asset('more of build-one'), b.asset('more of build-two'));
      reader = await open(browser, front);
      for (const words of ['more of build-one', ...(linked ? ['other of build-one'] : [])]) {
        const path = a.asset(words);
        assert.ok(!reader.asked.includes(path), `the page loads ${path} at once, so it shows nothing`);
        await until(`${path} to be stored`, () => isStored(front, path));
      }
      assert.equal(await isStored(front, '/other'), false);
    });

    test('after a deploy the open page works, and its link leads on', async () => {
      const news = b.news && (await front.get(b.news)).text;
      await b.run(other);
      assert.match(freshet(front, 'deploy', '--id', 'b', '--origin', b.url, '--wait', '20s'), /^b is live/);
      await a.app.halt();
      const late = a.asset('more of build-one');
      assert.equal((await ask(b.app.port, late)).status, 404);
      const kept = await front.get(late, { headers: BROWSER });
      assert.equal(kept.status, 200);
      assert.match(kept.cache, /detail=kept-asset/);
      await more(reader.page);
      await reader.page.getByText('more of build-one').waitFor();
      await reader.page.getByRole('link', { name: 'other' }).click();
      await heading(reader.page, /^other of build-(one|two)$/);
      assert.deepEqual(troublesOf(reader), []);
      if (b.news) {
        const now = await front.get(b.news);
        assert.notEqual(now.text, news);
        assert.equal(now.text, (await ask(b.app.port, b.news)).text);
      }
    });

    test('who comes after the deploy sees the new build only', async () => {
      const fresh = await open(browser, front);
      assert.equal(await fresh.page.locator('h1').textContent(), 'home of build-two');
      await more(fresh.page);
      await fresh.page.getByText('more of build-two').waitFor();
      await fresh.page.getByRole('link', { name: 'other' }).click();
      await heading(fresh.page, /^other of build-two$/);
      assert.deepEqual(troublesOf(fresh), []);
      await fresh.context.close();
    });

    if (framework === 'svelte')
      test('with a purge of everything in place of the deploy, the open page breaks', async () => {
        await b.app.halt();
        const [port] = await freePorts(1);
        await a.run(port);
        const bare = await Front.start(a.url);
        try {
          const one = await open(browser, bare);
          const late = a.asset('more of build-one');
          await until(`${late} to be stored`, () => isStored(bare, late));
          await a.app.halt();
          await b.run(port);
          freshet(bare, 'purge', '--all');
          assert.equal((await bare.get(late)).status, 404);
          await more(one.page);
          await until('the page to be broken', () => one.troubles.includes(`404 for ${late}`));
          assert.equal(await one.page.getByText('more of build').count(), 0);
          await one.context.close();
        } finally {
          await bare.stop();
        }
      });
  });
