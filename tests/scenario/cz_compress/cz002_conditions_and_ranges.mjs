// Each coding has its own ETag, and any of them revalidates; ranges are of the plain body; HEAD shows what GET would.
// CACHING.md 6.10
import { check, equal, reply, scenario } from '../lib.mjs';

const text = 'so it goes, and so on; '.repeat(500);
const answer = (r) => {
  if (r.target === '/put') return reply('', {}, '204 No Content');
  const fields = { 'Content-Type': 'text/plain', 'Cache-Control': 'max-age=60', 'Content-Digest': 'sha-256=:x:', 'Repr-Digest': 'sha-256=:y:', 'Content-MD5': 'z' };
  if (r.target === '/weak') fields.ETag = 'W/"w"';
  else if (r.target === '/dated') fields['Last-Modified'] = 'Mon, 01 Jan 2024 00:00:00 GMT';
  else if (r.target !== '/none') fields.ETag = '"abc"';
  return reply(text, fields);
};
const br = { 'Accept-Encoding': 'br' };

await scenario({ answer }, async ({ ask, cases, freshet, origin }) => {
  const warm = async (target, fields = br) => {
    await ask(target, fields);
    await ask(target, fields);
    await freshet.until('coding_now', '==', 0);
    return ask(target, fields);
  };
  const coded = await warm('/');
  await cases.check('a strong ETag stays strong', () => equal(coded.fields.etag, '"abc~br5"'));
  await cases.check('no digest of the plain body', () => check(!coded.fields['content-digest'] && !coded.fields['repr-digest'] && !coded.fields['content-md5'], coded.head));
  await cases.check('no Accept-Ranges', () => equal(coded.fields['accept-ranges'], undefined));
  await cases.check('Cache-Status', () => check(/^freshet; hit; ttl=\d+$/.test(coded.fields['cache-status']), coded.head));
  await cases.check('a weak one stays weak', async () => equal((await warm('/weak')).fields.etag, 'W/"w~br5"'));
  const generated = await warm('/none');
  await cases.check('a generated one', async () => equal(generated.fields.etag, (await ask('/none')).fields.etag.replace(/"$/, '~br5"')));
  const plain = await ask('/');
  await cases.check('the plain one', () => equal(plain.fields.etag, '"abc"'));
  await cases.check('its digests stay', () => equal(plain.fields['content-digest'], 'sha-256=:x:'));
  await cases.check('the plain one varies', () => equal(plain.fields.vary, 'Accept-Encoding'));

  const head = await ask('/', br, { method: 'HEAD' });
  await cases.check('HEAD', () => check(head.fields['content-encoding'] === 'br' && head.fields['content-length'] === coded.fields['content-length'], head.head));

  for (const [target, tag, offer, status, etag] of [
    ['/', '"abc~br5"', br, 304, '"abc~br5"'], ['/', '"abc"', br, 304, '"abc"'], ['/', '"abc~gzip6"', { 'Accept-Encoding': 'br, gzip' }, 304, '"abc~gzip6"'],
    ['/', '"x", W/"abc~zstd3"', { 'Accept-Encoding': 'zstd, br' }, 304, 'W/"abc~zstd3"'], ['/', '"abc~br5"', {}, 304, '"abc~br5"'], ['/', '*', br, 304, '"abc~br5"'], ['/', '*', {}, 304, '"abc"'],
    // None of a coding that the visitor does not take: a cache in front would give that to somebody who cannot read it.
    ['/', '"abc~br5"', { 'Accept-Encoding': 'gzip' }, 200, undefined], ['/', '"abc~br5"', { 'Accept-Encoding': 'identity' }, 200, '"abc"'],
    ['/', '"abc~br5", "abc"', { 'Accept-Encoding': 'identity' }, 304, '"abc"'], ['/', '"abc~br5", "abc~gzip6"', { 'Accept-Encoding': 'gzip' }, 304, '"abc~gzip6"'],
    ['/', '"abc~br5"', { 'Accept-Encoding': '*' }, 304, '"abc~br5"'], ['/', '"abc~br5"', { 'Accept-Encoding': 'br;q=0, gzip' }, 200, undefined],
    ['/', '"abc"', { 'Accept-Encoding': 'br, identity;q=0' }, 200, '"abc~br5"'], ['/', '"abc", "abc~br5"', { 'Accept-Encoding': 'br, identity;q=0' }, 304, '"abc~br5"'],
    ['/', '"abd~br5"', br, 200, '"abc~br5"'], ['/', '"abc~xz1"', br, 200, '"abc~br5"'], ['/', '"abc~br"', br, 200, '"abc~br5"'], ['/weak', 'W/"w~br5"', br, 304, 'W/"w~br5"'],
    ['/none', generated.fields.etag, br, 304, generated.fields.etag], ['/none', generated.fields.etag, {}, 304, generated.fields.etag]]) {
    const r = await ask(target, { ...offer, 'If-None-Match': tag });
    await cases.check(`If-None-Match: ${tag} ${JSON.stringify(offer)}`, () => equal(`${r.status} ${etag && r.fields.etag}`, `${status} ${etag}`));
    await cases.check('Vary', () => equal(r.fields.vary, 'Accept-Encoding'));
  }
  await warm('/dated');
  const dated = await ask('/dated', { ...br, 'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' });
  await cases.check('If-Modified-Since', () => equal(dated.status, 304));

  for (const [fields, status, what] of [
    [{ ...br, Range: 'bytes=0-9' }, 206, 'abc'], [{ ...br, Range: 'bytes=0-9', 'If-Range': '"abc"' }, 206, 'abc'], [{ ...br, Range: 'bytes=0-9', 'If-Range': '"abc~br5"' }, 200, 'abc~br5'],
    [{ 'Accept-Encoding': 'br, identity;q=0', Range: 'bytes=0-9' }, 200, 'abc~br5'], [{ ...br, Range: 'bytes=99999-' }, 416, undefined], [{ ...br, Range: 'lines=1-2' }, 200, 'abc~br5'],
    [{ ...br, Range: 'bytes=0-1,5-9' }, 206, 'abc']]) {
    const r = await ask('/', fields);
    await cases.check(JSON.stringify(fields), () => equal(`${r.status} ${r.fields.etag}`, `${status} ${what && `"${what}"`}`));
    await cases.check('coded or not', () => equal(r.fields['content-encoding'], what === 'abc~br5' ? 'br' : undefined));
    if (status === 206) await cases.check('of the plain body', () => check(/bytes 0-|multipart/.test(r.head) && r.body.includes(text.slice(0, 2)), r.head));
  }

  // To the origin go its own tags.
  await ask('/put', { 'If-Match': '"abc~br5", W/"w~gzip6", "own"' }, { method: 'PUT' });
  await cases.check('If-Match', () => equal(origin.requests.at(-1).fields['if-match'], '"abc", W/"w", "own"'));
  const before = origin.requests.length;
  await freshet.advance('61s');
  await ask('/', { ...br, 'If-None-Match': '"abc~br5"' });
  await cases.check('a revalidation has the origin\'s tag', () => equal(origin.requests[before].fields['if-none-match'], '"abc"'));
});
