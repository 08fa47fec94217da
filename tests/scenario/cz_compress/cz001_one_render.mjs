// A page is rendered once, whatever codings visitors take: with joins, refreshes, confirmations, purges, and a warm list.
// CACHING.md 4.9, 6.10
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { check, equal, gate, reply, scenario } from '../lib.mjs';

const browsers = ['gzip, deflate, br, zstd', 'gzip, deflate, br', 'gzip, deflate', null];
const page = (n) => `<!doctype html><p>${n}</p>`.padEnd(20000, 'and so on, and so forth; ');
const asked = (offer) => (offer === null ? {} : { 'Accept-Encoding': offer });
const bytes = (r) => Buffer.from(r.body, 'latin1');
// zstd only by its magic number: this node may have none.
const plain = (r) => ({ br: brotliDecompressSync, gzip: gunzipSync }[r.fields['content-encoding']] ?? ((b) => b))(bytes(r)).toString('latin1');

let n = 0, held = null;
const answer = async (r) => {
  if (held) await held.opened;
  if (r.fields['if-none-match'] === '"same"') return 'HTTP/1.1 304 Not Modified\r\nETag: "same"\r\n\r\n';
  const fields = { 'Content-Type': 'text/html', 'CDN-Cache-Control': 'max-age=60, stale-while-revalidate=600', 'Cache-Tag': 't', Vary: 'Accept-Encoding' };
  if (r.target === '/same') fields.ETag = '"same"';
  return reply(page(++n), fields);
};

await scenario({ answer }, async ({ ask, cases, connect, freshet, origin }) => {
  const all = async (target, renders, what) => {
    for (const offer of [...browsers, ...browsers]) {
      const r = await ask(target, asked(offer));
      await cases.check(`${what}: ${offer}`, () => equal(plain(r), page(n)));
      await cases.check(`${what}: Vary`, () => check(/accept-encoding/i.test(r.fields.vary), r.head));
      await freshet.until('coding_now', '==', 0);
    }
    await cases.check(`${what}: renders`, () => equal(origin.requests.length, renders));
  };
  await all('/', 1, 'hits');
  for (const [offer, coding] of [[browsers[0], 'br'], [browsers[1], 'br'], [browsers[2], 'gzip'], [browsers[3], undefined]]) {
    const r = await ask('/', asked(offer));
    await cases.check(`by then it is ${coding}`, () => equal(r.fields['content-encoding'], coding));
    await cases.check('its length', () => equal(+r.fields['content-length'], r.body.length));
  }
  await cases.check('the origin is asked for no coding', () => check(origin.requests.every((r) => r.fields['accept-encoding'] === 'identity'), 'another'));

  // Joins.
  held = gate();
  const joiners = browsers.map(() => connect());
  await Promise.all(joiners.map((c, i) => c.send(`GET /joined HTTP/1.1\r\nHost: test\r\n${browsers[i] ? `Accept-Encoding: ${browsers[i]}\r\n` : ''}\r\n`)));
  await freshet.until('requests', '==', 4);
  held.open();
  held = null;
  for (const c of joiners) {
    const [r] = await c.answers(1);
    await cases.check('a joiner', () => equal(plain(r), page(n)));
    c.close();
  }
  await cases.check('one render for joiners', () => equal(origin.requests.length, 2));

  // A refresh in the background; the new page has the codings that the old one had.
  await freshet.advance('61s');
  await ask('/', asked(browsers[0]));
  await freshet.settle();
  await freshet.until('coding_now', '==', 0);
  await cases.check('one refresh', () => equal(origin.requests.length, 3));
  const fresh = await ask('/', asked(browsers[0]));
  await cases.check('the new page is coded at once', () => equal(fresh.fields['content-encoding'], 'br'));
  await cases.check('and is the new page', () => equal(plain(fresh), page(n)));

  // A purge.
  equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["t"]}')).status, 202);
  await all('/', 4, 'after a purge');

  // A 304 confirms all codings at once.
  await all('/same', 5, 'with an ETag');
  const codings = (await freshet.gauges()).codings;
  await freshet.advance('61s');
  await ask('/same', asked(browsers[0]));
  await freshet.settle();
  await cases.check('confirmed', () => equal(origin.requests.at(-1).fields['if-none-match'], '"same"'));
  const confirmed = await ask('/same', asked(browsers[2]));
  await cases.check('a coding of the confirmed page', () => equal(confirmed.fields['content-encoding'], 'gzip'));
  await cases.check('was not made anew', async () => check((await freshet.gauges()).coding_now === 0 && codings > 0, 'it is being made'));
  await cases.check('its ETag', () => equal(confirmed.fields.etag, '"same~gzip6"'));
});
