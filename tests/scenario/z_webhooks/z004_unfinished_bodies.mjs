// Strangers who begin many bodies and end none keep nobody else out: what the head decides is answered before a byte of the body is
// taken, deliveries, purges and uploads have memory apart, shared between clients, and a body that trickles is a 408.
// CACHING.md 5.7, 5.8, 7
import crypto from 'node:crypto';
import { check, equal, Raw, reply, request, scenario, soon } from '../lib.mjs';

const MiB = 1 << 20, secret = 'the-secret-of-the-webhook';
const sign = (body) => ({ 'X-Hub-Signature-256': `sha256=${crypto.createHmac('sha256', secret).update(body).digest('hex')}` });
const forged = { 'X-Hub-Signature-256': `sha256=${'a'.repeat(64)}` };
const hook = (path, sender, more = '') => `  - {path: /hooks/${path}, sender: ${sender}, secret: ${secret}, tags: ["{id}"]${more}}\n`;
const yaml = (url) => `origin: ${url}\nupload_length: buffer\npurge_from: [127.0.0.2]\nwebhooks:\n` +
  hook('github', 'github') + hook('strapi', 'strapi') + hook('prismic', 'prismic') + hook('shop', 'woocommerce') + hook('shopify', 'shopify') +
  hook('contentful', 'contentful').replace(secret, 'a'.repeat(64)) + hook('sanity', 'sanity') + hook('ghost', 'ghost') + hook('hygraph', 'hygraph') +
  hook('standard', 'standard').replace(secret, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') + hook('kontent', 'kontent') + hook('story', 'storyblok');
const flags = ['--listen', '127.0.0.1:0'];

await scenario({ answer: (r) => reply(`${r.body.length}`), yaml, flags }, async ({ cases, freshet, origin }) => {
  const from = (localAddress = '127.0.0.1') => new Raw({ ...freshet.tcp, localAddress });
  const head = (target, fields, method = 'POST') => request(target, fields, { method });
  // The answer to a head alone; the body never comes.
  const early = async (c, target, fields, method) => {
    await c.send(head(target, fields, method));
    const r = (await c.answers(1, [method])).at(-1);
    c.close();
    return r;
  };
  const answers = [
    ['another method', '/hooks/github', { 'Content-Length': 1000, ...forged }, 'PUT', 405],
    ['no proof', '/hooks/github', { 'Content-Length': MiB }, 'POST', 401],
    ['no proof, in chunks', '/hooks/github', { 'Transfer-Encoding': 'chunked' }, 'POST', 401],
    ['no proof, and leave is asked', '/hooks/github', { 'Content-Length': MiB, Expect: '100-continue' }, 'POST', 401],
    ['a proof of another form', '/hooks/github', { 'Content-Length': MiB, 'X-Hub-Signature-256': 'sha256=x' }, 'POST', 401],
    ['too long', '/hooks/github', { 'Content-Length': MiB + 1, ...forged }, 'POST', 413],
    ['a wrong secret in a field', '/hooks/strapi', { 'Content-Length': 10, Authorization: 'Bearer x' }, 'POST', 401],
    ['too long for a secret in the body', '/hooks/prismic', { 'Content-Length': 65_537 }, 'POST', 413],
    ['unsigned and too long for a ping', '/hooks/shop', { 'Content-Length': 22 }, 'POST', 401],
    ['unsigned and in chunks', '/hooks/shop', { 'Transfer-Encoding': 'chunked' }, 'POST', 401],
    ...['shopify', 'contentful', 'sanity', 'ghost', 'hygraph', 'standard', 'kontent', 'story', 'strapi'].map((s) =>
      [`no proof of ${s}`, `/hooks/${s}`, { 'Content-Length': 10 }, 'POST', 401]),
    ['a purge of a stranger', '/a', { 'Content-Length': 60_000 }, 'PURGE', 405],
    ['a purge of a stranger, in chunks', '/a', { 'Transfer-Encoding': 'chunked' }, 'BAN', 405],
  ];
  for (const [what, target, fields, method, status] of answers) {
    await cases.check(`from the head: ${what}`, async () => {
      const r = await early(from(), target, fields, method);
      equal(r.status, status, r.body);
      check(!r.head.includes(' 100 '), 'no leave to send the body');
    });
  }
  await cases.check('from the head: the admin listener', async () => {
    const ask = (target, fields, method) => early(new Raw('admin'), target, fields, method);
    equal((await ask('/api/v1/purge', { 'Content-Length': MiB }, 'POST')).status, 401);
    equal((await ask('/api/v1/purge', { 'Content-Length': MiB }, 'PUT')).status, 405);
    equal((await ask('/healthz', { 'Content-Length': MiB }, 'GET')).status, 200);
    equal((await ask('/nowhere', { 'Content-Length': MiB }, 'POST')).status, 404);
    equal((await ask('/service/s/purge_all', { 'Content-Length': MiB }, 'POST')).status, 401);
    equal((await ask('/a', { 'Content-Length': 60_000 }, 'PURGE')).status, 401);
  });
  equal((await freshet.gauges()).request_body_bytes_total, 0, 'bytes of bodies that were taken');
  await cases.check('a ping without a proof is still answered, and a secret in the body read', async () => {
    const c = from();
    await c.send(request('/hooks/shop', {}, { method: 'POST', body: 'webhook_id=7' }));
    equal(JSON.parse((await c.answers())[0].body).purged, 'nothing: a ping');
    await c.send(request('/hooks/prismic', {}, { method: 'POST', body: JSON.stringify({ secret, id: 'p' }) }));
    equal(JSON.parse((await c.answers(2))[1].body).purged, 'site default: tag p');
    c.close();
  });

  const received = async () => (await freshet.gauges()).request_body_bytes_total;
  // So many bodies, each without its last byte.
  const begin = async (n, target, fields, body, where) => {
    const before = await received();
    const all = Array.from({ length: n }, () => from(where));
    await Promise.all(all.map(async (c) => {
      await c.send(head(target, fields));
      await c.send(body);
    }));
    await soon(async () => await received() >= before + n * (MiB - 1) || all.some((c) => c.text));
    return all;
  };
  const forge = (n, where) => begin(n, '/hooks/github', { 'Content-Length': MiB, ...forged }, Buffer.alloc(MiB - 1, 'x'), where);
  const upload = (n, where) => begin(n, '/form', { 'Transfer-Encoding': 'chunked' },
    Buffer.concat([Buffer.from(`${(MiB - 1).toString(16)}\r\n`), Buffer.alloc(MiB - 1, 'x'), Buffer.from('\r\n')]), where);
  const whole = async (target, fields, body, method, where) => {
    const c = from(where);
    await c.send(request(target, fields, { method, body }));
    const [r] = await c.answers();
    c.close();
    return r;
  };
  const deliver = (where, bytes = 10) => {
    const body = JSON.stringify({ id: 'x', more: 'y'.repeat(bytes) });
    return whole('/hooks/github', { ...sign(body), 'X-GitHub-Delivery': crypto.randomUUID() }, body, 'POST', where);
  };
  const purge = () => whole('/a', {}, 'x'.repeat(1000), 'PURGE', '127.0.0.2');
  const post = (where) => whole('/form', { 'Transfer-Encoding': 'chunked' }, '4\r\nform\r\n0\r\n\r\n', 'POST', where);
  const end = async (...all) => {
    all.flat().forEach((c) => c.close());
    await freshet.settle();
  };

  await cases.check('70 bodies that strangers do not end: deliveries, purges and uploads come through', async () => {
    const strangers = await forge(70);
    for (const where of ['127.0.0.2', '127.0.0.1', '127.0.0.3']) {
      equal((await deliver(where)).status, 200, `a delivery from ${where}`);
      equal((await deliver(where, 500_000)).status, 200, `a long one from ${where}`);
      equal((await post(where)).body, '4', `an upload from ${where}`);
    }
    equal((await purge()).status, 200);
    // What they hold is 32 MiB: those who lost their place were told so.
    await soon(() => strangers.filter((c) => c.text.startsWith('HTTP/1.1 503')).length >= 70 - 32);
    await end(strangers);
  });
  await cases.check('the same from 35 addresses, which hold one body each', async () => {
    const strangers = (await Promise.all(Array.from({ length: 35 }, (_, i) => forge(1, `127.0.1.${i + 1}`)))).flat();
    equal((await deliver('127.0.0.2')).status, 200);
    equal((await deliver('127.0.0.2', 100_000)).status, 200);
    await end(strangers);
  });
  await cases.check('64 MiB of uploads: other clients still upload, and the one who holds all gets a 503', async () => {
    const strangers = await upload(65, '127.0.0.7');
    await soon(() => strangers.some((c) => c.text.startsWith('HTTP/1.1 503')));
    equal((await post('127.0.0.2')).body, '4');
    equal((await deliver('127.0.0.2')).status, 200);
    equal((await purge()).status, 200);
    check(strangers.filter((c) => c.text === '').length >= 62, 'the others go on');
    await end(strangers);
  });
  await cases.check('a body that trickles is a 408, also when it never pauses', async () => {
    const c = from();
    await c.send(head('/hooks/github', { 'Content-Length': MiB, ...forged }));
    for (let i = 0; i < 20 && !c.text; i++) {
      const before = await received();
      await c.send('x');
      await soon(async () => c.text || await received() > before);
      await freshet.advance('10s');
    }
    const [r] = await c.answers();
    equal(r.status, 408);
    check(r.body.includes('The request body did not come in time.'), c.text);
    await end(c);
  });
  await cases.check('an upload that is collected as well', async () => {
    const c = from();
    await c.send(head('/form', { 'Transfer-Encoding': 'chunked' }));
    for (let i = 0; i < 20 && !c.text; i++) {
      const before = await received();
      await c.send('1\r\nx\r\n');
      await soon(async () => c.text || await received() > before);
      await freshet.advance('10s');
    }
    const [r] = await c.answers();
    equal(r.status, 408);
    check(/; detail=bad-request$/.test(r.fields['cache-status']), c.text);
    await end(c);
  });
  await cases.check('strangers do not fill the list of deliveries', async () => {
    for (let i = 0; i < 60; i++) {
      equal((await whole('/hooks/shop', {}, `webhook_id=${i}`, 'POST')).status, 200);
      equal((await whole('/hooks/prismic', {}, `${' '.repeat(i)}{`, 'POST')).status, 400);
    }
    const { latest } = JSON.parse((await freshet.api('GET', '/api/v1/status')).text).webhooks;
    equal(latest.filter((l) => l.verdict === 'nothing: a ping').length, 1, 'lines of pings');
    check(latest.filter((l) => l.status === 400).length <= 25, 'lines of bodies that are no JSON');
    check(latest.filter((l) => l.verdict.startsWith('site default: tag x')).length >= 8, 'lines of deliveries');
  });
  await cases.check('none came to the origin', () => check(origin.requests.every((r) => r.target === '/form'), 'hooks'));
});
