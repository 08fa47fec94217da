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
const targets = ['/%7Ebob', '/%c3%a9/%2f%2F', '/a?b=1&&a=1&utm_source=x&gclid=1', '/a/./b/../c', '/%41?', '/a?%2e=%7e', '/a?b&a&_ga=2&c=', '/key+with spaces'.replace(' ', '%20')];

await scenario({ answer: (r) => verify(r) ? reply(r.method === 'HEAD' ? '' : 'good') : reply(r.method === 'HEAD' ? '' : r.head, {}, '403 Forbidden') }, async ({ cases, ask }) => {
  const signed = (method, target, fields) =>
    [...fields, ['x-check', `${[...new Set(fields.map(([n]) => n))].join(';')} ${sign(method, target, fields)}`]];
  const passing = [['PUT', []], ['POST', []], ['DELETE', []], ['HEAD', []], ['PROPFIND', []]];
  for (const [method, more] of passing) {
    for (const target of targets) {
      await cases.check(`${method} ${target}`, async () => {
        const body = /PUT|POST/.test(method) ? 'some bytes' : '';
        const r = await ask(target, signed(method, target, [...wild, ...more]), { method, body });
        equal(r.status, 200, r.body);
      });
    }
  }
});
