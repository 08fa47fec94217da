// Cache-Control: private or no-store beside a targeted field that permits storing: stored, as RFC 9213 says; with private_vetoes not.
// CACHING.md 2.3
import { check, equal, reply, scenario } from '../lib.mjs';

let head;
const answer = () => reply('x', head);
const yaml = (url) => ['one', 'veto', 'dev'].map((n) => `  ${n}:\n    hosts: [${n}.test]\n    origin: ${url}\n${{ veto: '    private_vetoes: true\n', dev: '    profile: dev\n' }[n] ?? ''}`)
  .reduce((a, b) => a + b, 'sites:\n');
await scenario({ answer, yaml }, async ({ ask, cases, freshet }) => {
  let i = 0;
  const status = async (host, fields) => {
    head = fields;
    return (await ask(`/${++i}`, { Host: `${host}.test` })).fields['cache-status'];
  };
  for (const word of ['private', 'no-store', 'private="Set-Cookie"', 'max-age=0, private', 'public, no-store'])
    for (const field of ['CDN-Cache-Control', 'Netlify-CDN-Cache-Control'])
      await cases.check(`${field} beside ${word}`, async () => {
        const fields = { [field]: 'max-age=60', 'Cache-Control': word };
        check(/stored/.test(await status('one', fields)), 'the targeted field rules');
        equal(await status('veto', fields), 'freshet; fwd=uri-miss; detail=private-veto');
        check(/would store for 60 s.*private/.test(await status('dev', fields)), 'dev points at it');
      });
  await cases.check('other words are no veto', async () => {
    for (const word of ['no-cache', 'max-age=0', 'must-revalidate', 'max-age=0, x-private'])
      check(/stored/.test(await status('veto', { 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': word })), word);
  });
  await cases.check('Cache-Control alone is no matter of it', async () => equal(await status('veto', { 'Cache-Control': 'private' }), 'freshet; fwd=uri-miss; detail=private'));
  await cases.check('explain points at it', async () => {
    await status('one', { 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': 'private' });
    const facts = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent(`http://one.test/${i}`)}`)).text);
    check(/^Cache-Control: private .*private_vetoes/.test(facts.stored.overrules), facts.stored.overrules);
  });
});
