// Without a database country= makes one variant, and what a visitor says of his country counts for nothing.
// CACHING.md 4 "Netlify-Vary"
import { equal, reply, scenario } from '../lib.mjs';

let n = 0;
const answer = (r) => reply(`page ${++n} ${r.fields['x-country'] ?? 'none'}`, { 'Cache-Control': 'max-age=60', 'Netlify-Vary': 'country=de+at|us' });
await scenario({ answer }, async ({ ask, cases }) => {
  await cases.check('one variant without a database', async () => {
    const first = (await ask('/', { 'X-Forwarded-For': '193.0.6.139', 'X-Country': 'DE' })).body;
    equal(first, 'page 1 none');
    equal((await ask('/', { 'X-Forwarded-For': '8.8.8.8' })).body, first);
  });
});
