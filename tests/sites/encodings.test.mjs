// Next and Astro are asked for a page once, whatever codings its visitors take: a page that is rendered at once and one that is streamed.
// Beside them the same framework without freshet's compression, which is asked once for each list of codings. CACHING.md 4.9, 6.10.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { App } from '../e2e/lib/app.mjs';
import { Front } from '../e2e/lib/front.mjs';
import { until } from '../e2e/lib/world.mjs';

const NEXT = 'node_modules/next/dist/bin/next';
const PAUSE = 300; // milliseconds for which a streamed page waits
const PARAGRAPHS = `Array.from({ length: 200 }, (_, i) => \`paragraph \${i} of it, and so on\`)`;

const FRAMEWORKS = {
  next: {
    build: [NEXT, 'build'],
    start: (port) => [NEXT, 'start', '-p', `${port}`, '-H', '127.0.0.1'],
    env: { NEXT_TELEMETRY_DISABLED: '1' },
    files: {
      'app/at-once/[n]/page.jsx': `export const revalidate = 600;
export const generateStaticParams = () => [];
export default () => <main>{${PARAGRAPHS}.map((p) => <p key={p}>{p}</p>)}</main>;\n`,
      'app/streamed/[n]/page.jsx': `import { Suspense } from 'react';
export const revalidate = 0;
async function Late() { await new Promise((r) => setTimeout(r, ${PAUSE})); return <main>{${PARAGRAPHS}.map((p) => <p key={p}>{p}</p>)}</main>; }
export default () => <><h1>the shell</h1><Suspense fallback="waits"><Late /></Suspense></>;\n`,
      // What Next renders for each visitor is for all of them here.
      'next.config.mjs': `export default { headers: () => [{ source: '/streamed/:n', headers: [{ key: 'CDN-Cache-Control', value: 'max-age=600' }] }] };\n`,
    },
  },
  astro: {
    build: ['node_modules/astro/bin/astro.mjs', 'build'],
    start: () => ['dist/server/entry.mjs'],
    env: { ASTRO_TELEMETRY_DISABLED: '1' },
    files: {
      'src/pages/at-once/[n].astro': `---\nAstro.response.headers.set('Cache-Control', 's-maxage=600');\n---\n<main>{${PARAGRAPHS}.map((p) => <p>{p}</p>)}</main>\n`,
      'src/pages/streamed/[n].astro': `---\nAstro.response.headers.set('Cache-Control', 's-maxage=600');\nimport Late from '../../Late.astro';\n---\n<h1>the shell</h1><Late />\n`,
      'src/Late.astro': `---\nawait new Promise((r) => setTimeout(r, ${PAUSE}));\n---\n<main>{${PARAGRAPHS}.map((p) => <p>{p}</p>)}</main>\n`,
    },
  },
};

/** What browsers send, old and new, and programs. */
const OFFERS = ['gzip, deflate, br, zstd', 'gzip, deflate, br', 'gzip, deflate', undefined];

/** One GET; resolves to its coding, its plain text, when the first of it was there, and whether it was a hit. */
function get(port, path, offer) {
  return new Promise((resolve, reject) => {
    const began = Date.now();
    http.get({ host: '127.0.0.1', port, path, agent: false, headers: offer ? { 'Accept-Encoding': offer } : {} }, (response) => {
      const pieces = [];
      let first;
      response.on('data', (d) => {
        first ??= Date.now() - began;
        pieces.push(d);
      });
      response.on('error', reject);
      response.on('end', () => {
        const coding = response.headers['content-encoding'];
        const undo = { br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync }[coding] ?? ((b) => b);
        resolve({ status: response.statusCode, coding, text: undo(Buffer.concat(pieces)).toString(), first, took: Date.now() - began, cache: response.headers['cache-status'], headers: response.headers });
      });
    }).on('error', reject);
  });
}

for (const [name, framework] of Object.entries(FRAMEWORKS))
  describe(name, () => {
    let app, counts, front, without;
    const asked = {};

    before(async () => {
      app = new App(`redeploy/${name}`, { modules: name, link: false, env: framework.env });
      for (const [file, text] of Object.entries(framework.files)) {
        mkdirSync(dirname(join(app.root, file)), { recursive: true });
        writeFileSync(join(app.root, file), text);
      }
      await app.build(framework.build);
      // Counts what the framework is asked for.
      counts = http.createServer((request, response) => {
        asked[request.url] = (asked[request.url] ?? 0) + 1;
        const on = http.request({ host: '127.0.0.1', port: app.port, path: request.url, method: request.method, headers: request.headers }, (answer) => {
          response.writeHead(answer.statusCode, answer.rawHeaders);
          answer.pipe(response);
        });
        on.on('error', () => response.destroy());
        request.pipe(on);
      });
      await new Promise((listens) => counts.listen(0, '127.0.0.1', listens));
      front = await Front.start(`http://127.0.0.1:${counts.address().port}`);
      without = await Front.start(`http://127.0.0.1:${counts.address().port}`, { args: ['--compress', 'false'] });
      await app.behindFreshet();
      await app.start(framework.start(app.port));
    }, { timeout: 600_000 });

    after(async () => {
      await front?.stop();
      await without?.stop();
      counts?.close();
      await app?.stop();
    });

    for (const kind of ['at-once', 'streamed'])
      test(`${kind}: one render for all encodings`, async () => {
        const path = `/${kind}/1`;
        const texts = new Set();
        for (const offer of [...OFFERS, ...OFFERS]) {
          const page = await get(front.port, path, offer);
          assert.equal(page.status, 200);
          assert.ok(!page.coding || offer?.includes(page.coding), `${offer}: ${page.coding}`);
          if (page.coding !== 'zstd') texts.add(page.text);
          assert.match(page.text, page.coding === 'zstd' ? /./ : /paragraph 199 of it/);
          await until(`${path} to be stored`, async () => / hit/.test((await get(front.port, path, offer)).cache));
        }
        assert.equal(texts.size, 1);
        assert.equal(asked[path], 1, 'one request of the origin');
        for (const [offer, coding] of [[OFFERS[0], 'br'], [OFFERS[1], 'br'], [OFFERS[2], 'gzip'], [OFFERS[3], undefined]])
          await until(() => `${coding} for ${offer}`, async () => (await get(front.port, path, offer)).coding === coding);
        assert.equal(asked[path], 1, 'still one');
      });

    for (const kind of ['at-once', 'streamed'])
      test(`${kind}: the first visitor has it compressed`, async () => {
        const page = await get(front.port, `/${kind}/2`, OFFERS[1]);
        assert.match(page.cache, /fwd=/);
        assert.equal(page.coding, 'br');
        assert.match(page.text, /paragraph 199 of it/);
      });

    test('a herd of four kinds of visitors is one render', async () => {
      const all = await Promise.all([...OFFERS, ...OFFERS, ...OFFERS].map((offer) => get(front.port, '/streamed/3', offer)));
      for (const page of all.filter((p) => p.coding !== 'zstd')) assert.match(page.text, /paragraph 199 of it/);
      assert.equal(asked['/streamed/3'], 1);
      assert.ok(all.some((p) => p.coding === 'br') && all.some((p) => p.coding === 'gzip') && all.some((p) => !p.coding));
    });

    // Astro compresses nothing itself.
    if (name === 'next') test('without compression each list of codings is a render', async () => {
      for (const offer of OFFERS) {
        await get(without.port, '/at-once/4', offer);
        await until('the page to be stored', async () => / hit/.test((await get(without.port, '/at-once/4', offer)).cache));
      }
      assert.ok(asked['/at-once/4'] >= 4, `${asked['/at-once/4']}`);
    });
  });
