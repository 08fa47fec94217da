// What a visitor sends in fields that only a proxy may set reaches neither the origin nor another visitor's page; freshet sets its own.
// hostile h3-01 (Unkeyed header), h3-02 (Method override); CACHING.md 4.8
import { check, equal, reply, scenario } from '../lib.mjs';

const names = ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'X-Forwarded-Port', 'X-Forwarded-Server', 'X-Forwarded-Prefix', 'X-Forwarded-Scheme',
  'X-Host', 'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method', 'X-HTTP-Method-Override', 'X-Method-Override', 'X-Real-IP', 'X-Country', 'x-now-route-matches',
  'Netlify-Vary', 'Netlify-Cache-Tag', 'Netlify-CDN-Cache-Control', 'Netlify-Anything', 'X-Freshet-Anything', 'X-Freshet-Debug', 'NETLIFY-x', 'x-freshet-',
  'X-Forwarded', 'X-Forwarded-Ssl', 'X-Forwarded-Uri', 'x-forwarded-method', 'X-Original-Host', 'X-Original-Uri', 'X-Rewrite-Path', 'X_Forwarded_Ssl',
  'X-Original_Host', 'Netlify_Anything'];
const answer = (r) => reply(r.line + '\n' + r.head.split('\r\n').slice(1).sort().join('\n'), { 'Cache-Control': 'max-age=60' });
await scenario({ answer }, async ({ ask, cases, origin }) => {
  for (const [i, name] of names.entries()) {
    for (const value of ['evil', 'evil.example:80', '/evil', 'DELETE']) {
      await cases.check(`${name}: ${value}`, async () => {
        const target = `/${i}/${value.length}`;
        const first = await ask(target, { [name]: value });
        equal(first.body.includes(value), false, 'reached the origin');
        const second = await ask(target);
        equal(second.body, first.body, 'the page');
      });
    }
  }
  await cases.check('our own values', () => {
    const r = origin.requests[0];
    equal(r.fields['x-forwarded-host'], 'test');
    equal(r.fields['x-forwarded-proto'], 'http');
    check(/^1\.1 /.test(r.fields.via), `Via: ${r.fields.via}`);
    check(/^[\w-]{8,}$/.test(r.fields['x-request-id'] ?? ''), `X-Request-Id: ${r.fields['x-request-id']}`);
  });
});
