// Presets, each alone, with the software that they are for: the site works, what is the same for all is kept, and nobody sees what is somebody
// else's. Next.js without a line for freshet; a build of Astro's behind nginx as it comes. WordPress and MediaWiki are in their own files.
// docs/RULES.md

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { App } from '../e2e/lib/app.mjs';
import { ask, end, run } from '../e2e/lib/front.mjs';
import { until } from '../e2e/lib/world.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';

const open = [];
after(async () => {
  for (const close of open.reverse()) await close();
});

test('nextjs', { timeout: 900_000 }, async (t) => {
  const app = new App('next', { link: false, env: { NEXT_TELEMETRY_DISABLED: '1' } });
  open.push(() => app.stop());
  const words = join(app.folder, 'words');
  app.env.WORDS = words;
  writeFileSync(words, 'first words');
  mkdirSync(join(app.root, 'app/api/draft'), { recursive: true });
  writeFileSync(join(app.root, 'app/api/draft/route.js'), readFileSync(join(app.root, 'app/draft/route.js')));
  const next = join(app.root, 'node_modules/next/dist/bin/next');
  await app.build([next, 'build']);
  const front = await app.behindFreshet({ args: ['--preset', 'nextjs'] });
  await app.start([next, 'start', '-p', `${app.port}`, '-H', '127.0.0.1']);

  await t.test('a draft stays with its editor, before and after the page is stored', async () => {
    const { cookies } = await front.get('/api/draft');
    assert.ok(cookies.__prerender_bypass);
    for (let i = 0; i < 2; i++) assert.match((await front.own('/blog/a', { cookies })).text, /DRAFT/);
    assert.match((await front.miss('/blog/a')).text, /PUBLISHED/);
    assert.match((await front.own('/blog/a', { cookies })).text, /DRAFT/);
    assert.match((await front.hit('/blog/a')).text, /PUBLISHED/);
    await front.own('/blog/forged', { cookies: { __prerender_bypass: 'forged' } });
    assert.match((await front.miss('/blog/forged')).text, /PUBLISHED/);
  });

  await t.test('what the build made is kept, for editors too', async () => {
    const [, script] = /src="(\/_next\/static\/[^"]+\.js[^"]*)"/.exec((await front.get('/blog/a')).text);
    await front.get(script, { cookies: { __prerender_bypass: 'x' } });
    await front.hit(script, { cookies: { __prerender_bypass: 'x' } });
    await front.hit(script);
    assert.equal((await front.own('/_next/static/chunks/missing.js')).status, 404);
  });

  await t.test('a page and its data are kept apart', async () => {
    const RSC = { headers: { RSC: '1' } };
    const { headers } = await front.get('/blog/a', RSC);
    const data = headers.location ?? '/blog/a';
    for (let i = 0; i < 3; i++) assert.match((await front.get(data, RSC)).headers['content-type'], /text\/x-component/);
    assert.match((await front.hit('/blog/a')).headers['content-type'], /text\/html/);
  });
});

test('static', { timeout: 900_000 }, async (t) => {
  const app = new App('static', { modules: 'astro', env: { ASTRO_TELEMETRY_DISABLED: '1' } });
  open.push(() => app.stop());
  await app.build([join(app.root, 'node_modules/astro/bin/astro.mjs'), 'build']);
  const front = await app.behindFreshet({ args: ['--preset', 'static'] });
  const folder = join(app.folder, 'nginx');
  mkdirSync(join(folder, 'logs'), { recursive: true });
  writeFileSync(join(folder, 'members'), 'ann:{PLAIN}sesame\n');
  writeFileSync(join(folder, 'nginx.conf'), `
daemon off; pid nginx.pid; worker_processes 1; ${process.getuid() === 0 ? 'user root;' : ''}
events {}
http {
  include /etc/nginx/mime.types;
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${app.port};
    root ${join(app.root, 'dist')};
    location /private/ { auth_basic "members"; auth_basic_user_file members; }
    location /counted/ { add_header Set-Cookie visitor=$request_id; alias ${join(app.root, 'dist/about')}/; }
  }
}
`);
  let said = '';
  const nginx = run('/usr/sbin/nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'errors'], {}, (d) => (said += d));
  open.push(() => end(nginx));
  await until(() => `nginx: ${said}`, () => ask(app.port, '/').then((r) => r.status === 200, () => false));
  assert.equal((await ask(app.port, '/')).headers['cache-control'], undefined, 'nginx says nothing of caching');

  await t.test('pages, styles and all else that is built are kept', async () => {
    const [, style] = /href="(\/_astro\/[^"]+\.css)"/.exec((await front.miss('/')).text);
    const ttl = async (path) => Number(/ttl=(\d+)/.exec((await front.hit(path)).cache)[1]);
    assert.ok((await ttl('/')) <= 60);
    await front.miss(style);
    assert.ok((await ttl(style)) > 3000);
    await front.miss('/about/', { cookies: { session: 'ann' } }).catch(() => front.miss('/about/', { cookies: { session: 'ann' } }));
    await front.hit('/about/');
  });

  await t.test('what is behind a password is for whom has it, in either order', async () => {
    const ann = { headers: { Authorization: `Basic ${Buffer.from('ann:sesame').toString('base64')}` } };
    for (let i = 0; i < 2; i++) {
      assert.match((await front.own('/private/', ann)).text, /FOR-MEMBERS/);
      assert.equal((await front.own('/private/')).status, 401);
    }
  });

  await t.test('neither what sets a cookie, nor what is missing, nor another method is kept', async () => {
    for (let i = 0; i < 2; i++) {
      assert.ok((await front.own('/counted/')).cookies.visitor);
      assert.equal((await front.own('/missing/')).status, 404);
      assert.equal((await front.own('/', { method: 'POST', body: 'a=1' })).status, 405);
    }
  });

  await t.test('clicked through in Chromium, it is as without freshet', () => sameInChromium({ direct: app.port, front: front.port }));
});
