// MediaWiki itself, Debian's, with SQLite, served by PHP's own server: with $wgUseCdn it sends freshet its purges, and what an editor
// does shows at once, whatever marks a title has; what is one visitor's stays his, with the preset and without. docs/PURGING.md, docs/RULES.md,
// CACHING.md 2.14, 5.7.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Front, ask, end, run } from '../e2e/lib/front.mjs';
import { sameInChromium } from '../e2e/lib/walk.mjs';
import { freePorts, temporaryFolder, until } from '../e2e/lib/world.mjs';

const root = '/usr/share/mediawiki';
const folder = temporaryFolder();
const config = join(folder, 'LocalSettings.php');
const env = { ...process.env, MW_CONFIG_FILE: config };
const wiki = (title) => `/index.php/${title}`;
let said = '';
let front, port, preset, site;

/** One of MediaWiki's own scripts: it purges before it returns. */
function maintain(script, args, input = '', more = {}) {
  const made = spawnSync('php', [join(root, 'maintenance', `${script}.php`), ...args], { env: { ...env, ...more }, input, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stdout + made.stderr);
}

const edit = (title, words, more) => maintain('edit', ['-s', 'test', '-u', 'Editor', title], words, more);

/** PHP's settings without those that load curl. */
function withoutCurl() {
  const { stdout } = spawnSync('php', ['--ini'], { encoding: 'utf8' });
  const scanned = /Scan for additional .ini files in: (.*)/.exec(stdout)[1];
  const settings = join(folder, 'settings');
  mkdirSync(settings);
  for (const name of readdirSync(scanned)) if (!name.includes('curl')) copyFileSync(join(scanned, name), join(settings, name));
  return { PHP_INI_SCAN_DIR: settings };
}

before(async () => {
  [port] = await freePorts(1);
  front = await Front.start(`http://127.0.0.1:${port}`, { args: ['--purge-from', '127.0.0.1'] });
  preset = await Front.start(`http://127.0.0.1:${port}`, { args: ['--preset', 'mediawiki'] });
  mkdirSync(join(folder, 'data'));
  const made = spawnSync('php', [join(root, 'maintenance/install.php'), '--dbtype', 'sqlite', '--dbpath', join(folder, 'data'), '--confpath', folder,
    '--server', `http://127.0.0.1:${front.port}`, '--scriptpath', '', '--pass', 'a-long-secret-of-the-editor', 'Wiki', 'Editor'], { env: process.env, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stdout + made.stderr);
  appendFileSync(config, `
$wgUseCdn = true;
$wgCdnServers = [ '127.0.0.1:${front.port}' ];
$wgCdnServersNoPurge = [ '127.0.0.1' ];
$wgJobRunRate = 0;
$wgMainCacheType = CACHE_NONE;
$wgCacheDirectory = '${join(folder, 'data')}';
`);
  site = run('php', ['-S', `127.0.0.1:${port}`, '-t', root], { env }, (d) => (said += d));
  await until(() => `MediaWiki\n${said}`, () => ask(port, wiki('Main_Page')).then((r) => r.status === 200, () => false), 60_000);
}, { timeout: 180_000 });

after(async () => {
  if (site) await end(site);
  for (const one of [front, preset]) await one?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('a page is stored until it is edited, and an edit shows at once', async () => {
  const bare = withoutCurl();
  edit('Other', 'other words');
  await front.miss(wiki('Other'));
  for (const title of ['Fish', 'Foo_(bar)', 'Sagittarius_A*', 'M*A*S*H', 'Caf%C3%A9']) {
    edit(decodeURIComponent(title), 'first words');
    await front.miss(wiki(title));
    assert.match((await front.hit(wiki(title))).text, /first words/);
    // With curl it sends whole URLs, without paths.
    edit(decodeURIComponent(title), 'second words');
    assert.match((await front.miss(wiki(title))).text, /second words/);
    edit(decodeURIComponent(title), 'third words', bare);
    assert.match((await front.miss(wiki(title))).text, /third words/);
    await front.hit(wiki('Other'));
  }
  assert.match(front.said, /PURGE from 127\.0\.0\.1, read as a URL/);
});

test('the history of a page too', async () => {
  edit('Fish', 'one line more');
  const history = '/index.php?title=Fish&action=history';
  const before = (await front.get(history)).text;
  edit('Fish', 'and one more');
  const now = (await front.get(history)).text;
  assert.ok(now.length > before.length, 'one line more');
});

test('a deleted page is gone', async () => {
  edit('Doomed', 'some words');
  await front.miss(wiki('Doomed'));
  await front.hit(wiki('Doomed'));
  maintain('deleteBatch', ['-u', 'Editor', '-r', 'test'], 'Doomed\n');
  const gone = await front.get(wiki('Doomed'));
  assert.equal(gone.status, 404);
  assert.ok(!gone.text.includes('some words'));
});

test('clicked through in Chromium, it is as without freshet', { timeout: 900_000 }, async () => {
  edit('Door', 'to the [[Fish]] and the [[Other]]');
  await sameInChromium({ direct: port, front: front.port, from: wiki('Door'), wanted: (path) => [wiki('Fish'), wiki('Other')].includes(path) });
});

/** The cookies of who has logged in. */
async function login(which) {
  const { text, cookies } = await which.own('/index.php?title=Special:UserLogin');
  const token = /name="wpLoginToken" type="hidden" value="([^"]*)"/.exec(text)?.[1] ?? /value="([^"]*)" name="wpLoginToken"/.exec(text)[1];
  const answer = await which.own('/index.php?title=Special:UserLogin', { method: 'POST', cookies, body: String(new URLSearchParams({
    wpName: 'Editor', wpPassword: 'a-long-secret-of-the-editor', wpLoginToken: token, wploginattempt: 'Log in', wpEditToken: '+\\', authAction: 'login' })) });
  assert.equal(answer.status, 302);
  return { ...cookies, ...answer.cookies };
}

for (const [name, which] of [['no preset', () => front], ['preset mediawiki', () => preset]])
  test(`${name}: what is stored for visitors is never shown to who is logged in, nor the other way`, async () => {
    const cookies = await login(which());
    for (const path of [wiki('Fish'), `${wiki('Fish')}?cold`]) {
      if (path === wiki('Fish')) await which().get(path);
      assert.match((await which().own(path, { cookies })).text, /pt-logout/);
      await which().get(path);
      assert.doesNotMatch((await which().hit(path)).text, /pt-logout/);
      assert.match((await which().own(path, { cookies })).text, /pt-logout/);
    }
  });

test('preset mediawiki: who only has a session passes, and so does what is asked for by it; files are kept', async () => {
  await preset.get(wiki('Fish'));
  await preset.hit(wiki('Fish'));
  const { cookies } = await preset.own('/index.php?title=Special:UserLogin');
  assert.ok(Object.keys(cookies).some((name) => name.endsWith('_session')), JSON.stringify(cookies));
  assert.match((await preset.own(wiki('Fish'), { cookies })).cache, /bypass-rule|bypass-cookie/);
  for (const path of ['/index.php?title=Fish&action=edit', '/index.php?title=Fish&action=history', wiki('Special:RecentChanges'), '/api.php?action=query&format=json'])
    for (let i = 0; i < 2; i++) assert.match((await preset.own(path)).cache, /bypass-rule/, path);
  const [, style] = /href="(\/load\.php\?[^"]*only=styles[^"]*)"/.exec((await preset.get(wiki('Fish'))).text);
  await preset.get(style.replaceAll('&amp;', '&'));
  await preset.hit(style.replaceAll('&amp;', '&'), { cookies });
  await preset.hit(wiki('Fish'), { cookies: { _ga: 'GA1.1' } });
});
