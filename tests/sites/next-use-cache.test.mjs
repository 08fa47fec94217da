// integrations/next with Next.js' cache components: what 'use cache' keeps is made anew after revalidateTag(), in pages that freshet keeps and
// in those that it does not.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask } from '../e2e/lib/front.mjs';
import { block, change } from '../e2e/lib/guide.mjs';
import { REPOSITORY, until } from '../e2e/lib/world.mjs';

let app, front, database;
let words = 'first words';
let asked = 0;

before(async () => {
  database = createServer((request, response) => (asked++, response.end(words))).listen(0, '127.0.0.1');
  await once(database, 'listening');
  app = new App('next-use-cache', { modules: 'next', packages: ['client', 'next'], link: false,
    env: { NEXT_TELEMETRY_DISABLED: '1', DATABASE: `http://127.0.0.1:${database.address().port}` } });
  const readme = readFileSync(join(REPOSITORY, 'integrations/next/README.md'), 'utf8');
  writeFileSync(join(app.root, 'next.config.mjs'), change(block(readme, 'js', 'next.config.mjs'), ['// your configuration', 'cacheComponents: true,']));
  const next = join(app.root, 'node_modules/next/dist/bin/next');
  await app.build([next, 'build']);
  front = await app.behindFreshet();
  await app.start([next, 'start', '-p', `${app.port}`, '-H', '127.0.0.1']);
}, { timeout: 300_000 });

after(async () => {
  await app?.stop();
  database.close();
});

const tag = (name, profile) => ask(app.port, '/tag', { method: 'POST', body: JSON.stringify({ tag: name, profile }) });
const read = (page) => /read at (\d+)/.exec(page.text)?.[1];

for (const profile of [{ expire: 0 }, 'max'])
  test(`a page of cached parts, revalidateTag() with ${JSON.stringify(profile)}`, async () => {
    await front.get('/c/1');
    const before = await until('a hit', async () => {
      const page = await front.get('/c/1');
      return / hit/.test(page.cache) && page;
    });
    words = `words after ${JSON.stringify(profile).replaceAll('"', '')}`;
    await tag('product-1', profile);
    const page = await until('the new page', async () => {
      const now = await front.get('/c/1');
      return now.text !== before.text && now;
    });
    assert.ok(page.text.includes(words), page.text);
  });

test('a page for each visitor shares the cached part, and gets the new one', async () => {
  const mine = (name) => front.own('/dyn', { cookies: { name } });
  const first = await mine('ann');
  assert.match(first.text, /for ann/);
  assert.match((await mine('bob')).text, /for bob/);
  const known = asked;
  assert.equal(read(await mine('ann')), read(await mine('bob')));
  assert.equal(asked, known);
  words = 'words for visitors';
  await tag('product-dyn', 'max');
  await until('the new words', async () => (await mine('ann')).text.includes(words));
});
