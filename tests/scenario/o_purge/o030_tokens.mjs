// Tokens with scopes, sites and an end: each has what its scopes and sites say on every route, at once on all workers and over a restart.
// scenarios O30, O31, O33; hostile h3-17 (Purge API abuse)
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const master = 'token-of-the-tests';
let n = 0;
const yaml = (origin) => `purge_rate: 0
sites:
  shop: {hosts: [shop.test], origin: "${origin}"}
  blog: {hosts: [blog.test], origin: "${origin}"}
`;
const flags = ['--workers', '3', '--access-log', 'access'];

await scenario({ yaml, flags, answer: (r) => reply(`page ${++n}`, { 'Cache-Control': 'max-age=6000', 'Cache-Tag': 't', 'X-Host': r.fields.host }) },
  async ({ ask, cases, freshet, origin }) => {
    const secrets = {};
    const bearer = (secret) => ({ authorization: `Bearer ${secret}` });
    const api = (name, ...rest) => {
      const [method, target, body, fields] = rest;
      return freshet.api(method, target, body, { ...bearer(secrets[name] ?? name), ...fields });
    };
    const create = (name, ...args) => {
      const r = freshet.run('token', 'create', '--name', name, ...args);
      equal(r.status, 0, `create: ${r.stderr}`);
      const secret = r.stdout.trim();
      check(/^freshet_[A-Za-z0-9_-]{43}$/.test(secret), `the secret is alone on standard output: ${r.stdout}`);
      secrets[name] = secret;
      return r;
    };
    const page = async (site) => (await ask('/', { Host: `${site}.test` })).body;

    await cases.check('freshet token create prints the secret once, and what the token is for', async () => {
      const r = create('ci', '--scope', 'purge', '--site', 'shop', '--expires', '90d');
      check(/made the token "ci" \(purge; site shop; expires 20..-..-..T/.test(r.stderr), r.stderr);
      create('reader', '--scope', 'read', '--site', 'shop');
      create('two', '--scope', 'purge,read', '--site', 'shop', '--site', 'blog');
      create('boss', '--scope', 'admin');
      create('shopboss', '--scope', 'admin', '--site', 'shop');
      create('purger', '--scope', 'purge');
      const list = freshet.run('token', 'list').stdout;
      for (const [name, secret] of Object.entries(secrets)) check(list.includes(`${name}: `) && !list.includes(secret), list);
      check(/^ci: purge; site shop; expires 20.*; not used since the start$/m.test(list), list);
      check(/^boss: admin; all sites; never expires; /m.test(list), list);
    });

    // What each route is asked with, and which tokens may.
    const routes = [
      ['POST', '/api/v1/purge', '{"site_id":"shop","cache_tags":["none"]}', {}, 202, ['ci', 'two', 'boss', 'shopboss', 'purger']],
      ['POST', '/api/v1/purge', '{"site_id":"blog","cache_tags":["none"]}', {}, 202, ['two', 'boss', 'purger']],
      ['POST', '/api/v1/purge', '{"urls":["http://shop.test/none","http://blog.test/none"]}', {}, 202, ['two', 'boss', 'purger']],
      ['PURGE', '/none', undefined, { host: 'shop.test' }, 200, ['ci', 'two', 'boss', 'shopboss', 'purger']],
      ['PURGE', '/none', undefined, { host: 'blog.test' }, 200, ['two', 'boss', 'purger']],
      ['BAN', '/', undefined, { host: 'blog.test', 'x-cache-tags': 'none' }, 200, ['two', 'boss', 'purger']],
      ['POST', '/service/shop/purge/none', '', {}, 200, ['ci', 'two', 'boss', 'shopboss', 'purger']],
      ['POST', '/service/blog/purge/none', '', {}, 200, ['two', 'boss', 'purger']],
      ['POST', '/purge/blog.test/none', '', {}, 200, ['two', 'boss', 'purger']],
      ['POST', '/client/v4/zones/blog/purge_cache', '{"tags":["none"]}', {}, 200, ['two', 'boss', 'purger']],
      ['POST', '/client/v4/zones/any/purge_cache', '{"prefixes":["blog.test/none"]}', {}, 200, ['two', 'boss', 'purger']],
      ['POST', '/client/v4/zones/shop/purge_cache', '{"tags":["none"]}', {}, 200, ['ci', 'two', 'boss', 'shopboss', 'purger']],
      ['POST', '/v1/edge-cache/invalidate-by-tags?projectIdOrName=blog', '{"tags":["none"]}', {}, 200, ['two', 'boss', 'purger']],
      ['GET', '/api/v1/explain?url=http://shop.test/', undefined, {}, 200, ['reader', 'two', 'boss', 'shopboss']],
      ['GET', '/api/v1/explain?url=http://blog.test/', undefined, {}, 200, ['two', 'boss']],
      ['GET', '/api/v1/status', undefined, {}, 200, ['reader', 'two', 'boss', 'shopboss']],
      ['POST', '/api/v1/deploy', '{"site":"shop","id":5}', {}, 400, ['boss', 'shopboss']], // refused for its id: nothing is deployed
      ['POST', '/api/v1/deploy', '{"site":"blog","id":5}', {}, 400, ['boss']],
      ['GET', '/api/v1/tokens', undefined, {}, 200, ['boss']],
      ['POST', '/api/v1/tokens', '{}', {}, 400, ['boss']],
      ['DELETE', '/api/v1/tokens?name=nobody', undefined, {}, 404, ['boss']],
      ['GET', '/metrics', undefined, {}, 200, [...Object.keys(secrets)]],
    ];
    for (const [method, target, body, fields, status, may] of routes)
      for (const name of Object.keys(secrets))
        await cases.check(`${name} at ${method} ${target} ${body ?? ''} ${JSON.stringify(fields)}`, async () => {
          const r = await api(name, method, target, body, fields);
          equal(r.status, may.includes(name) ? status : 403, `status (${r.text})`);
          if (!may.includes(name)) check(/scope|is for the site shop/.test(r.text) && r.text.includes(name), `says why: ${r.text}`);
        });
    await cases.check('a site of another is not in status', async () => {
      await api('boss', 'POST', '/api/v1/purge', '{"site_id":"blog","cache_tags":["secret-of-blog"]}');
      const text = (await api('reader', 'GET', '/api/v1/status')).text;
      check(!text.includes('blog'), text);
      check((await api('boss', 'GET', '/api/v1/status')).text.includes('secret-of-blog'), 'the boss sees it');
    });
    await cases.check('a purge that its token may not make purges nothing; one that it may is of its own site', async () => {
      const [shop, blog] = [await page('shop'), await page('blog')];
      equal((await api('ci', 'POST', '/api/v1/purge', '{"site_id":"blog"}')).status, 403);
      equal(await page('blog'), blog);
      equal((await api('ci', 'POST', '/api/v1/purge', '{"cache_tags":["t"]}')).status, 202); // no site is named: its own
      equal(await page('blog'), blog);
      check((await page('shop')) !== shop, 'its own site is purged');
    });
    await cases.check('PURGE for no site of its host purges those of the token', async () => {
      const [shop, blog] = [await page('shop'), await page('blog')];
      const r = await api('ci', 'PURGE', '/', undefined, { host: 'nobody.test', 'xkey-purge': 't' });
      equal(r.status, 200, r.text);
      equal(await page('blog'), blog);
      check((await page('shop')) !== shop, 'its own site is purged');
    });
    await cases.check('Fastly-Key carries a token, too', async () => {
      const r = await freshet.api('POST', '/service/shop/purge/none', '', { authorization: '', 'fastly-key': secrets.ci });
      equal(r.status, 200, r.text);
      const no = await freshet.api('POST', '/service/blog/purge/none', '', { authorization: '', 'fastly-key': secrets.ci });
      equal(no.status, 403, no.text);
      check('msg' in JSON.parse(no.text), 'in the form of that API');
    });
    await cases.check('a deploy without a site is for the token\'s own site', async () => {
      const deploy = async (name) => (await api(name, 'POST', '/api/v1/deploy', '{"id":5}', {})).text;
      check(/id must be a string/.test(await deploy('shopboss')), await deploy('shopboss'));
      check(/there are 2 sites; name one with site \(freshet deploy: --site\)/.test(await deploy('boss')), await deploy('boss'));
    });
    await cases.check('the verbs say what the server says', async () => {
      const run = (...args) => freshet.run(...args, '--token', secrets.ci);
      const r = run('status');
      equal(r.status, 1);
      check(/^freshet status: the token "ci" has the scope purge; this needs a token with the scope read \(status 403\)$/m.test(r.stderr), r.stderr);
      check(/is for the site shop; the site "blog" is not of it/.test(run('purge', '--site', 'blog', '--all').stderr), 'which site');
      equal(run('purge', '--tag', 'none').status, 0);
    });
    await cases.check('a second one of that name is refused, and a site that is not there', async () => {
      const r = freshet.run('token', 'create', '--name', 'ci', '--scope', 'read');
      equal(r.status, 1);
      check(/there is a token "ci"; revoke it first, or take another name/.test(r.stderr), r.stderr);
      check(/no site is named "shp"/.test(freshet.run('token', 'create', '--name', 'x', '--scope', 'read', '--site', 'shp').stderr), 'no such site');
      equal(r.stdout, '');
    });
    await cases.check('revoked, it is refused at once, whatever connection it comes by', async () => {
      // Connections that stay, opened before.
      const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
      const get = () => new Promise((resolve, reject) => http.get({ socketPath: freshet.at('admin'), path: '/api/v1/status', agent,
        headers: bearer(secrets.reader) }, (res) => res.resume().on('end', () => resolve(res.statusCode))).on('error', reject));
      const all = (status) => Promise.all(Array.from({ length: 8 }, get)).then((got) => check(got.every((s) => s === status), `${got}`));
      await all(200);
      equal((await api('boss', 'DELETE', '/api/v1/tokens?name=reader')).status, 200);
      await all(401);
      agent.destroy();
      const r = freshet.run('token', 'revoke', 'two');
      equal(r.stdout, 'revoked the token "two"\n', r.stderr);
      equal((await api('two', 'GET', '/api/v1/status')).status, 401);
      equal(freshet.run('token', 'revoke', 'two').status, 1);
    });
    await cases.check('they outlive a restart, and so does that one was revoked', async () => {
      freshet.signal('TERM');
      equal(await freshet.status(), '0');
      await freshet.start(['--yaml', yaml(origin.url), ...flags]);
      equal((await api('ci', 'POST', '/api/v1/purge', '{"cache_tags":["none"]}')).status, 202);
      equal((await api('ci', 'GET', '/api/v1/status')).status, 403);
      equal((await api('reader', 'GET', '/api/v1/status')).status, 401);
      equal((await api('boss', 'GET', '/api/v1/tokens')).status, 200);
    });
    await cases.check('after a kill -9, too', async () => {
      create('late', '--scope', 'read');
      equal((await api('boss', 'DELETE', '/api/v1/tokens?name=purger')).status, 200);
      freshet.signal('KILL');
      await soon(() => freshet.note('status') !== undefined);
      fs.rmSync('ended');
      await freshet.start(['--yaml', yaml(origin.url), ...flags]);
      equal((await api('late', 'GET', '/api/v1/status')).status, 200);
      equal((await api('purger', 'POST', '/api/v1/purge', '{"site_id":"shop"}')).status, 401);
    });
    await cases.check('a secret is in no log and no file', async () => {
      const files = ['log', 'access', ...fs.readdirSync('state').map((f) => path.join('state', f))].filter((f) => fs.existsSync(f) && fs.statSync(f).isFile());
      check(files.some((f) => /facts/.test(f)), `${files}`);
      for (const file of files)
        for (const [name, secret] of [...Object.entries(secrets), ['the first', master]])
          check(!fs.readFileSync(file).includes(secret), `${name} is in ${file}`);
      check(/the admin token has made the token "ci" \(purge; shop\)/.test(freshet.log()), 'but that it was made is');
      check(/the token "boss" has revoked the token "reader"/.test(freshet.log()), 'and that it was revoked');
    });
  });
