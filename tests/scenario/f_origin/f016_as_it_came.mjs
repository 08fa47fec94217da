// A signed request is verified at the origin: its method, target and fields are what the visitor signed, byte for byte, whatever
// spelling they have (HMAC as S3 and HTTP Message Signatures make it).
// CACHING.md 3.7, 4.1, 4.7, 4.9
import { createHmac } from 'node:crypto';
import { equal, reply, scenario } from '../lib.mjs';

const key = 'a secret of visitor and origin';
const sign = (method, target, lines) =>
  createHmac('sha256', key).update([method, target, ...lines.map(([n, v]) => `${n}:${v}`)].join('\n')).digest('hex');

// The names that are signed stand in the signature; their lines are taken from the head in their order, names as they were sent.
const verify = (r) => {
  const auth = r.fields['x-check'] ?? '';
  const [names, mac] = auth.split(' ');
  const lines = r.head.split('\r\n').slice(1).filter(Boolean).map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1).trim()]);
  const signed = lines.filter(([n]) => names.split(';').includes(n));
  return mac === sign(r.method, r.target, signed);
};

const wild = [['X-Amz-Date', '20261128T000000Z'], ['accept-ENCODING', 'identity;q=0.5, deflate , gzip'], ['Accept-Language', 'de;q=0.1, en'], ['x-amz-meta-b', '2'],
  ['X-Amz-Meta-A', '1,  2'], ['Range', 'bytes=0-0'], ['If-None-Match', '"x"'], ['If-Modified-Since', 'Sat, 28 Nov 2026 00:00:00 GMT'], ['x-amz-meta-b', '3']];
const targets = ['/%7Ebob', '/%c3%a9/%2f%2F', '/a?b=%zz&&a=1&utm_source=x&gclid=1', '/a/./b/../c', '/%41?', '/a?%2e=%7e&q=100%', '/a?b&a&_ga=2&c=', '/key+with%20spaces'];

const answer = (r) => {
  if (r.target.startsWith('/public')) return reply('shared', { 'Cache-Control': 'public, max-age=60', ETag: '"1"' });
  return verify(r) ? reply(r.method === 'HEAD' ? '' : 'good') : reply(r.method === 'HEAD' ? '' : r.head, {}, '403 Forbidden');
};
await scenario({ answer }, async ({ cases, ask, origin, freshet }) => {
  const signed = (method, target, fields) =>
    [...fields, ['x-check', `${[...new Set(fields.map(([n]) => n))].join(';')} ${sign(method, target, fields)}`]];
  const credentials = [['Authorization', 'AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b'], ['Signature', 'sig1=:YQ==:'], ['SIGNATURE-input', 'sig1=("@method" "@target-uri")']];
  const asked = [['PUT', []], ['POST', []], ['DELETE', []], ['HEAD', []], ['PROPFIND', []], ['PUT', [credentials[0]]],
    ...['GET', 'HEAD'].flatMap((method) => credentials.map((c) => [method, [c]]))];
  for (const [method, more] of asked) {
    for (const target of targets) {
      await cases.check(`${method} ${target} ${more.map(([n]) => n)}`, async () => {
        const body = /PUT|POST/.test(method) ? 'some bytes' : '';
        for (const fields of [wild, wild.filter(([n]) => !/^(range|if-)/i.test(n)), wild.filter(([n]) => !/^(accept-language|if-|range)/i.test(n))]) {
          const r = await ask(target, signed(method, target, [...fields, ...more]), { method, body });
          equal(r.status, 200, `${r.body}${origin.requests.at(-1).head} status`);
        }
      });
    }
  }
  // A URL that is signed in its query (S3) carries nothing that tells: its spelling is kept, though its answer might be stored.
  for (const target of ['/%7Ebob?X-Amz-Signature=a%2fb', '/%c3%a9/%2f?sig=1', '/%41/b%2Fc?a=%7e']) {
    await cases.check(`GET ${target}, signed in the query`, async () => equal((await ask(target, signed('GET', target, [['X-A', '1']]))).status, 200));
  }
  await cases.check('the Host field in its own spelling', async () => {
    await ask('/h', { Host: 'TEST:80', Authorization: 'x' }, { method: 'PUT', body: 'x' });
    equal(/\r\nHost: (.*)\r\n/.exec(origin.requests.at(-1).head)[1], 'TEST:80');
  });
  // What is for everybody is stored although it was asked for as it came, and a signed request has it from the cache.
  await cases.check('a public page is stored', async () => {
    const fields = [['Accept-Encoding', 'identity;q=0.5, deflate , gzip'], credentials[0]];
    equal((await ask('/public/%7ea', fields)).fields['cache-status'], 'freshet; fwd=uri-miss; stored');
    equal(origin.requests.at(-1).fields['accept-encoding'], 'identity;q=0.5, deflate , gzip');
    equal((await ask('/public/%7ea', { 'Accept-Encoding': 'gzip' })).fields['cache-status'].startsWith('freshet; hit'), true, 'hit');
    equal((await ask('/public/%7ea', [...wild, ...credentials])).fields['cache-status'].startsWith('freshet; hit'), true, 'hit');
  });
  await cases.check('it is renewed by freshet\'s own condition, not by the visitor\'s', async () => {
    await freshet.advance('61s');
    const r = await ask('/public/%7ea', [['If-None-Match', '"other"'], ['Accept-Encoding', 'gzip'], credentials[0]]);
    equal(r.status, 200);
    equal(origin.requests.at(-1).fields['if-none-match'], '"1"');
    equal((await ask('/public/%7ea', { 'Accept-Encoding': 'gzip' })).fields['cache-status'].startsWith('freshet; hit'), true, 'hit');
  });
  // What asks for something else than its key says is its visitor's alone.
  for (const [what, target, fields] of [['tracking', '/public/t?utm_source=a', []], ['dots', '/public/x/../d', []], ['languages', '/public/l', [['Accept-Language', 'de;q=0.1, en']]]]) {
    await cases.check(`not stored: ${what}`, async () => {
      for (let i = 0; i < 2; i++) {
        const before = origin.requests.length;
        const r = await ask(target, [...fields, credentials[0]]);
        equal(r.fields['cache-status'].includes('stored'), false, r.fields['cache-status']);
        equal(origin.requests.length, before + 1, 'asked');
        equal(origin.requests.at(-1).target, target);
      }
    });
  }
});
