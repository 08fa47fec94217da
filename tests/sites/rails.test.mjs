// docs/guides/any-origin.md with Rails' own controllers (Debian's ActionPack): a visitor with a session gets his own page. CACHING.md 4.4.

import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Front, ask, end, run } from '../e2e/lib/front.mjs';
import { block, guide } from '../e2e/lib/guide.mjs';
import { freePorts, temporaryFolder, until } from '../e2e/lib/world.mjs';

const folder = temporaryFolder();
let site, front;
let said = '';

after(async () => {
  if (site) await end(site);
  await front?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('pages with and without a session', async () => {
  writeFileSync(join(folder, 'cached_page.rb'), block(guide('guides/any-origin.md'), 'ruby'));
  const [port] = await freePorts(1);
  site = run('ruby', [fileURLToPath(new URL('rails.rb', import.meta.url)), `${port}`, join(folder, 'cached_page.rb')], {}, (d) => (said += d));
  await until(() => `Rails\n${said}`, () => ask(port, '/up').then((r) => r.status === 200, () => false));
  console.log(/ActionPack \S+/.exec(said)?.[0]);
  front = await Front.start(`http://127.0.0.1:${port}`);
  for (const name of ['_shop_session', 'remember_user_token']) {
    for (const value of ['genuine', 'made-up']) {
      const own = await front.own(`/${name}`, { cookies: { [name]: value } });
      assert.match(own.text, new RegExp(`${name}=${value}`));
    }
    const page = await front.miss(`/${name}`);
    assert.match(page.text, /everybody/);
    assert.equal(page.headers['cache-tag'], 'product-17, category-3');
    await front.own(`/${name}`, { cookies: { [name]: 'genuine' } });
    assert.match((await front.hit(`/${name}`)).text, /everybody/);
  }
});
