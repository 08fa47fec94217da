// Every recipe of docs/WEBHOOKS.md, as it stands, purges what it says, when its sender has signed; nothing else does, and
// nothing reaches the origin.
// CACHING.md 5.8
import crypto from 'node:crypto';
import fs from 'node:fs';
import { check, equal, reply, scenario } from '../lib.mjs';

const text = fs.readFileSync(new URL('../../../docs/WEBHOOKS.md', import.meta.url), 'utf8');
const recipes = [...text.matchAll(/## ([^\n]+)\n(?:(?!\n## )[\s\S])*?```yaml\n([\s\S]*?)```\n```json\n([\s\S]*?)\n```\nPurges: ([^\n]+)/g)]
  .map(([, name, yaml, json, purges], i) => ({
    name, json, purges, path: `/hooks/${i}`,
    yaml: yaml.replace(/path: \S+/, `path: /hooks/${i}`).replace(/^/gm, '  ').trimEnd(),
    sender: /sender: (\w+)/.exec(yaml)[1], secret: /secret: (\S+)/.exec(yaml)[1],
  }));
const mac = (secret, body, encoding, digest = 'sha256') => crypto.createHmac(digest, secret).update(body).digest(encoding);
// The fields by which a sender proves itself, written from its documentation.
const sign = {
  contentful({ secret, path }, body) {
    const f = { 'x-contentful-signed-headers': 'x-contentful-signed-headers,x-contentful-timestamp', 'x-contentful-timestamp': `${Date.now()}` };
    const list = Object.entries(f).map(([k, v]) => `${k}:${v}`).join(';');
    return { ...f, 'x-contentful-signature': mac(secret, `POST\n${path}\n${list}\n${body}`, 'hex') };
  },
  sanity: ({ secret }, body, t = Date.now()) => ({ 'sanity-webhook-signature': `t=${t},v1=${mac(secret, `${t}.${body}`, 'base64url')}` }),
  storyblok: ({ secret }, body) => ({ 'webhook-signature': mac(secret, body, 'hex', 'sha1') }),
  strapi: ({ secret }) => ({ authorization: `Bearer ${secret}` }),
  directus: ({ secret }) => ({ authorization: `Bearer ${secret}` }),
  payload: ({ secret }) => ({ authorization: `Bearer ${secret}` }),
  ghost: ({ secret }, body, t = Date.now()) => ({ 'x-ghost-signature': `sha256=${mac(secret, body + t, 'hex')}, t=${t}` }),
  hygraph: ({ secret }, body, t = Date.now()) => ({ 'gcms-signature': `sign=${mac(secret, JSON.stringify({ Body: body, EnvironmentName: 'master', TimeStamp: t }), 'base64')}, env=master, t=${t}` }),
  prismic: () => ({}),
  datocms: ({ secret }) => ({ authorization: `Basic ${Buffer.from(secret).toString('base64')}` }),
  shopify: ({ secret }, body) => ({ 'x-shopify-hmac-sha256': mac(secret, body, 'base64'), 'x-shopify-webhook-id': crypto.randomUUID() }),
  woocommerce: ({ secret }, body) => ({ 'x-wc-webhook-signature': mac(secret, body, 'base64') }),
  github: ({ secret }, body) => ({ 'x-hub-signature-256': `sha256=${mac(secret, body, 'hex')}`, 'x-github-delivery': crypto.randomUUID(), 'x-github-event': 'push' }),
  kontent: ({ secret }, body) => ({ 'x-kontent-ai-signature': mac(secret, body, 'base64') }),
  standard({ secret }, body) {
    const id = crypto.randomUUID(), t = Math.floor(Date.now() / 1000);
    return { 'webhook-id': id, 'webhook-timestamp': `${t}`, 'webhook-signature': `v1,${mac(Buffer.from(secret.slice(6), 'base64'), `${id}.${t}.${body}`, 'base64')}` };
  },
  generic: ({ secret }, body) => ({ 'x-signature': `sha256=${mac(secret, body, 'hex')}` }),
};
const yaml = (url) => `origin: ${url}\nwebhooks:\n${recipes.map((r) => r.yaml).join('\n')}`;

await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=60' }), yaml }, async ({ ask, cases, freshet, origin }) => {
  const post = (path, fields, body) => ask(path, fields, { method: 'POST', body });
  equal(recipes.length, Object.keys(sign).length, 'recipes');
  for (const r of recipes) {
    const changed = r.json.replace(/}$/, ' }');
    await cases.check(`${r.name}: purges ${r.purges}`, async () => {
      const fields = sign[r.sender](r, r.json), a = await post(r.path, fields, r.json);
      equal(a.status, 200, a.body);
      check(/^application\/json/.test(a.fields['content-type']), a.fields['content-type']);
      equal(JSON.parse(a.body).purged, `site default: ${r.purges}`);
      equal(JSON.parse(a.body).missing.length, 0);
    });
    await cases.check(`${r.name}: another secret, a changed body, no proof`, async () => {
      const other = { ...r, secret: r.secret.replace(/.$/, (c) => (c === 'b' ? 'c' : 'b')) };
      const bad = [[{}, r.sender === 'prismic' ? '{"secret":"x"}' : r.json]];
      if (r.sender !== 'prismic') bad.push([sign[r.sender](other, r.json), r.json]);
      if (!/authorization/.test(Object.keys(sign[r.sender](r, ''))) && r.sender !== 'prismic') bad.push([sign[r.sender](r, r.json), changed]);
      for (const [fields, body] of bad) {
        const a = await post(r.path, fields, body);
        equal(a.status, 401, a.body);
        check(!a.body.includes(r.secret), a.body);
      }
    });
  }
  const by = (sender) => recipes.find((r) => r.sender === sender);
  await cases.check('only POST is taken', async () => {
    for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      const a = await ask(recipes[0].path, {}, { method });
      equal(a.status, 405, method);
      equal(a.fields.allow, 'POST');
    }
  });
  await cases.check('a copy of a delivery does nothing', async () => {
    for (const sender of ['contentful', 'sanity', 'ghost', 'hygraph', 'standard', 'shopify', 'github']) {
      const r = by(sender), fields = sign[sender](r, r.json);
      const first = JSON.parse((await post(r.path, fields, r.json)).body), again = await post(r.path, fields, r.json);
      check(first.sequence > 0, sender);
      equal(again.status, 200);
      equal(JSON.parse(again.body).purged, 'nothing: this delivery was taken before', sender);
    }
  });
  await cases.check('an old time is refused', async () => {
    for (const sender of ['sanity', 'ghost', 'hygraph']) {
      const r = by(sender), a = await post(r.path, sign[sender](r, r.json, Date.now() - 301000), r.json);
      equal(a.status, 401, a.body);
      check(a.body.includes('300 seconds'), a.body);
    }
  });
  await cases.check('what is missing is said', async () => {
    const r = by('storyblok'), some = '{"story_id":3}', none = '{"asset_id":3}';
    const a = await post(r.path, sign.storyblok(r, some), some), b = await post(r.path, sign.storyblok(r, none), none);
    equal(a.status, 200, a.body);
    equal(JSON.parse(a.body).purged, 'site default: tag story-3');
    check(JSON.parse(a.body).missing[0].includes('{full_slug} is not there'), a.body);
    equal(b.status, 422, b.body);
  });
  await cases.check('one bad text is left out and said, and the rest is purged', async () => {
    const r = by('shopify');
    for (const [handle, why] of [['a*', 'a*'], ['/a b', '/a b'], ['a\u0001b', 'control character'], ['x'.repeat(9000), 'too long'], ['\ud800', '']]) {
      const body = JSON.stringify({ id: 1, handle }), a = await post(r.path, sign.shopify(r, body), body);
      equal(a.status, 200, a.body);
      const { purged, missing } = JSON.parse(a.body);
      check(purged.startsWith('site default: tag product-1'), a.body);
      check(missing.length === (why ? 1 : 0) && (missing[0] ?? '').includes(why), a.body);
    }
    check(/warning webhook: \/hooks\/\d+ of default: 1 left out: /.test(freshet.log()), freshet.log().slice(-500));
    const { latest } = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).webhooks;
    check(latest.some((l) => l.verdict.includes('tag product-1; 1 left out: ')), 'in the list');
  });
  await cases.check('nothing but bad texts is a 422', async () => {
    const r = by('contentful'), body = JSON.stringify({ sys: { id: 'x'.repeat(2000), contentType: { sys: { id: 'y'.repeat(2000) } } } });
    const a = await post(r.path, sign.contentful(r, body), body);
    equal(a.status, 422, a.body);
    check(a.body.includes('tag_bytes'), a.body);
  });
  await cases.check('what other languages write does not count', async () => {
    const r = by('shopify'), body = '{"a":"\\ud800","b":"\\u0000","c":1e999,"id":123456789012345678901234,"handle":"h"}';
    const a = await post(r.path, sign.shopify(r, body), body);
    equal(JSON.parse(a.body).purged, 'site default: tag product-123456789012345678901234; URL /products/h', a.body);
  });
  await cases.check('a secret that is not in the body is said', async () => {
    const a = await post(by('prismic').path, {}, '{"documents":[]}');
    equal(a.status, 401);
    check(a.body.includes("the payload's member secret, which is the secret, is not there"), a.body);
  });
  await cases.check('bodies that are no JSON, too long, or a ping', async () => {
    const r = by('storyblok'), wc = by('woocommerce'), gh = by('github');
    equal((await post(r.path, sign.storyblok(r, '{'), '{')).status, 400);
    equal((await post(r.path, {}, 'x'.repeat((1 << 20) + 1))).status, 413);
    equal((await post(by('prismic').path, {}, `{"a":"${'x'.repeat(1 << 16)}"}`)).status, 413);
    equal(JSON.parse((await post(wc.path, {}, 'webhook_id=7')).body).purged, 'nothing: a ping');
    equal(JSON.parse((await post(gh.path, { ...sign.github(gh, '{}'), 'x-github-event': 'ping' }, '{}')).body).purged, 'nothing: a ping');
  });
  await cases.check('a webhook that purges everything takes a stored page', async () => {
    const page = () => ask('/page');
    await page();
    check(/hit/.test((await page()).fields['cache-status']), 'a hit before');
    await post(by('github').path, sign.github(by('github'), by('github').json), by('github').json);
    check(!/; hit/.test((await page()).fields['cache-status']), 'no hit after');
  });
  await cases.check('status has the latest, with equal refusals as one', async () => {
    const h = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).webhooks;
    equal(h.latest.length, 50);
    check(h.latest.some((l) => l.status === 200 && l.verdict.startsWith('site default: ')), 'a purge');
    const refused = h.latest.filter((l) => l.status === 401);
    equal(new Set(refused.map((l) => `${l.path} ${l.verdict}`)).size, refused.length, 'equal refusals are one line');
    check(refused.some((l) => l.times > 1), 'with their number');
    check(recipes.every((r) => !JSON.stringify(h).includes(r.secret)), 'a secret');
  });
  await cases.check('freshet status prints them for people', () => {
    const said = freshet.run('status').stdout;
    check(/^ *webhooks +\d+ deliveries, \d+ refused; the latest:$/m.test(said), said);
    check(/^ +\d{4}-\d\d-\d\dT[\d:.]+Z  200  \/hooks\/\d+  site default: /m.test(said), said);
    check(/^ +\S+Z  401  \/hooks\/\d+  the /m.test(said) && /^ +\S+Z  \d{3}  \/hooks\/.* \(\d+ times\)$/m.test(said), said);
  });
  await cases.check('none came to the origin', () => equal(origin.requests.filter((q) => q.line.includes('hooks')).length, 0));
  await cases.check('no secret is in the log', () => check(recipes.every((r) => !freshet.log().includes(r.secret)), freshet.log().slice(-300)));
});
