// The recipes of docs/RULES.md do what they say, as they stand; so do the file of headers and the presets.
// CACHING.md 8.1, 8.2, 8.4
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const text = fs.readFileSync(new URL('../../../docs/RULES.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/```(\w*)\n([^]*?)```/g)].map((m) => ({ kind: m[1], text: m[2] }));
const rules = blocks.find((b) => b.kind === 'yaml').text, headers = blocks.find((b) => b.text.startsWith('# what a build')).text;
fs.writeFileSync('_headers', headers);

let n = 0;
const answer = (r) => {
  const types = { png: 'image/png', js: 'text/javascript', css: 'text/css', html: 'text/html' };
  const path = r.target.split('?')[0];
  if (path.startsWith('/login')) return reply('', { Location: '/' }, '302 Found');
  const said = path.includes('private') ? { 'Cache-Control': 'private' } : {};
  const cookie = path.includes('cookie') ? { 'Set-Cookie': 'a=1' } : {};
  return reply(`${++n} for ${r.fields.cookie ?? 'nobody'}`, { 'Content-Type': types[path.split('.')[1]] ?? 'text/html', 'X-Powered-By': 'app', ...said, ...cookie });
};
const site = (name, more, url) => `  ${name}:\n    hosts: [${name}.test]\n    origin: ${url}\n${more}`;
const yaml = (url) => 'sites:\n' + site('recipe', rules.replace(/^origin.*\n/, '').replace(/^/gm, '    ').trimEnd() + '\n', url) +
  site('file', '    headers_file: _headers\n', url) +
  ['wordpress', 'woocommerce', 'mediawiki', 'drupal', 'nextjs', 'static'].map((p) => site(p, `    preset: ${p}\n`, url)).join('');
await scenario({ yaml, answer, flags: ['--access-log', 'access.log'] }, async ({ ask, cases, freshet }) => {
  const status = (r) => r.fields['cache-status'];
  const hit = (r) => /; hit/.test(status(r));
  const twice = async (host, path, fields = {}) => {
    await ask(path, { Host: `${host}.test`, ...fields });
    return ask(path, { Host: `${host}.test`, ...fields });
  };
  await cases.check('the recipe', async () => {
    equal(status(await twice('recipe', '/cart')), 'freshet; fwd=bypass; detail=bypass-rule');
    check(hit(await twice('recipe', '/products/7')), 'product');
    await freshet.run('purge', '--site', 'recipe', '--tag', 'product-7');
    check(!hit(await ask('/products/7', { Host: 'recipe.test' })), 'purged');
    check(hit(await twice('recipe', '/a.png')), 'picture');
    const r = await ask('/old-blog/x/y', { Host: 'recipe.test' });
    equal(`${r.status} ${r.fields.location}`, '308 /blog/x/y');
    equal((await ask('/', { Host: 'recipe.test' })).fields['x-powered-by'], undefined);
    const said = freshet.run('explain', 'http://recipe.test/cart').stdout;
    const sample = blocks.find((b) => b.text.startsWith('  rules')).text;
    check(said.includes(sample.replaceAll('of default', 'of recipe')), said);
  });
  await cases.check('the log says that a rule redirected', async () => {
    const says = () => fs.readFileSync('access.log', 'utf8').includes('"reason":"redirect-rule"');
    await freshet.advance('2s'); // the log is written by a timer
    await soon(says);
  });
  await cases.check('the file of headers', async () => {
    equal((await ask('/assets/a/b.js', { Host: 'file.test' })).fields['cache-control'], 'public, max-age=31536000, immutable');
    const post = await twice('file', '/blog/first');
    check(hit(post), status(post));
    equal(post.fields['x-powered-by'], undefined);
    check(!hit(await twice('file', '/blog/first/more')), 'one segment');
    check(JSON.stringify(freshet.run('explain', 'http://file.test/blog/a').stdout).includes('line 4 of _headers'), 'explain');
  });
  await cases.check('the file is read again at a reload, which empties the cache', async () => {
    check(hit(await twice('recipe', '/products/8')), 'a page of another site');
    fs.writeFileSync('_headers', headers.replace('/blog/:slug', '/news/:slug'));
    await freshet.signal('HUP');
    await freshet.saying('main: reloaded', 1);
    check(!hit(await twice('file', '/blog/first')), 'not by the old file');
    check(hit(await twice('file', '/news/first')), 'by the new one');
    check(hit(await ask('/products/8', { Host: 'recipe.test' })), 'others stay');
    fs.writeFileSync('_headers', 'X-Early: 1\n/a\n  no header\n');
    const told = freshet.run('check', 'config.yaml').stderr;
    check(/_headers:1: .*is not a path/.test(told) && /_headers:3: .*is no header/.test(told), told);
  });
  await cases.check('static: silent pages are stored, redirects and what is said private are not', async () => {
    check(hit(await twice('static', '/index.html')), 'page');
    check(hit(await twice('static', '/a.js')), 'script');
    for (const path of ['/private.html', '/cookie.html', '/login'])
      check(!hit(await twice('static', path)), path);
    check(!hit(await twice('static', '/b.html', { Authorization: 'Basic eDp5' })), 'a login');
    const one = await twice('static', '/c.html', { Cookie: 'session=1' });
    check(!hit(one) || one.body.endsWith('for nobody'), `${status(one)} ${one.body}`);
    check(!(await twice('static', '/c.html')).body.includes('session'), 'what a stranger gets');
  });
  const somebody = { wordpress: 'wordpress_logged_in_1=x', woocommerce: 'woocommerce_items_in_cart=1', mediawiki: 'enwikiUserID=7', drupal: 'SESSabc=x', nextjs: '__prerender_bypass=x' };
  for (const [preset, cookie] of Object.entries(somebody))
    await cases.check(`${preset}: somebody's page is his alone`, async () => {
      equal(status(await twice(preset, '/a', { Cookie: cookie })), 'freshet; fwd=bypass; detail=bypass-rule');
      check(!(await twice(preset, '/a')).body.includes(cookie), 'what a stranger gets');
    });
});
