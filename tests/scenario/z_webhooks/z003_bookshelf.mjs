// The webhook of the bookshelf's CMS purges the book's pages and its author's without a line in the app: with the configuration
// in the example's README, as it stands.
import fs from 'node:fs';
import { webhookFor } from '../../../examples/astro-bookshelf/cms/webhooks.mjs';
import { check, equal, reply, scenario } from '../lib.mjs';

const readme = fs.readFileSync(new URL('../../../examples/astro-bookshelf/README.md', import.meta.url), 'utf8');
const [block] = /^webhooks:\n(?: .*\n)+/m.exec(readme);
const pages = { '/books/dune': 'dune, herbert', '/author/herbert': 'herbert, books-by-herbert', '/': 'books, book, author', '/books/other': 'other, lem' };
let n = 0;
const answer = (r) => reply(`page ${++n}`, { 'CDN-Cache-Control': 'max-age=60', 'Cache-Tag': pages[r.target] });

await scenario({ answer, yaml: (url) => `origin: ${url}\n${block}` }, async ({ ask, cases, freshet }) => {
  const is_hit = async (p) => /^freshet; hit/.test((await ask(p)).fields['cache-status']);
  const publish = (entry) => {
    const { topic, body } = webhookFor('publish', entry, 'space', 'master');
    return ask('/hooks/cms', { 'content-type': 'application/vnd.contentful.management.v1+json', 'x-contentful-topic': topic,
      'x-webhook-secret': 'bookshelf-webhook-secret' }, { method: 'POST', body: JSON.stringify(body) });
  };
  await cases.check('a book', async () => {
    for (const p of Object.keys(pages)) await ask(p);
    for (const p of Object.keys(pages)) check(await is_hit(p), p);
    const a = await publish({ id: 'dune', type: 'book', version: 2, fields: { title: 'Dune', author: 'herbert' } });
    equal(a.status, 200, a.body);
    equal(JSON.parse(a.body).purged, 'site default: tags dune, book, books-by-herbert');
    for (const p of Object.keys(pages)) equal(await is_hit(p), p === '/books/other', p);
  });
  await cases.check('an author, who has no author', async () => {
    const a = await publish({ id: 'lem', type: 'author', version: 2, fields: { name: 'Lem' } });
    equal(a.status, 200, a.body);
    equal(JSON.parse(a.body).purged, 'site default: tags lem, author');
    equal(JSON.parse(a.body).missing.length, 1);
    equal(await is_hit('/books/other'), false);
  });
  await freshet.settle();
});
