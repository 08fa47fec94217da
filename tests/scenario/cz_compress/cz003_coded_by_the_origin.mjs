// What the origin codes although it was asked not to is stored without its coding and given to everybody; a coding that may not or cannot be
// undone makes pages of its own; bombs and damaged bodies end, and are not stored.
// CACHING.md 4.9, 6.10; scenarios F14; hostile h3-20
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { check, equal, hangup, reply, scenario, soon } from '../lib.mjs';

const text = 'a page of many words, and of more; '.repeat(400);
const bomb = gzipSync(Buffer.alloc(60e6)).toString('latin1');
const minute = { 'Content-Type': 'text/html', 'Cache-Control': 'max-age=60' };
const coders = { gzip: gzipSync, 'x-gzip': gzipSync, br: brotliCompressSync };
const chunked = (body, fields) => `HTTP/1.1 200 OK\r\n${Object.entries(fields).map(([k, v]) => `${k}: ${v}\r\n`).join('')}Transfer-Encoding: chunked\r\n\r\n${
  [...body.match(/[^]{1,700}/g)].map((s) => `${s.length.toString(16)}\r\n${s}\r\n`).join('')}0\r\n\r\n`;
const answer = (r) => {
  const [, how, coding] = r.target.split('/');
  const made = coders[coding]?.(text).toString('latin1');
  const fields = { ...minute, 'Content-Encoding': coding, ETag: '"own"' };
  if (r.fields['if-none-match'] === '"own"') return 'HTTP/1.1 304 Not Modified\r\nETag: "own"\r\n\r\n';
  switch (how) {
    case 'length': return reply(made, fields);
    case 'chunked': return chunked(made, fields);
    case 'close': return [`HTTP/1.1 200 OK\r\n${Object.entries(fields).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n${made}`, hangup];
    case 'dated':
      if (r.fields['if-modified-since']) return 'HTTP/1.1 304 Not Modified\r\nCache-Control: max-age=60\r\n\r\n';
      return reply(made, { ...minute, 'Content-Encoding': coding, 'Last-Modified': 'Mon, 01 Jan 2024 00:00:00 GMT' });
    case 'none': return reply(made, { ...minute, 'Content-Encoding': coding });
    case 'unknown': return reply('?', { ...minute, 'Content-Encoding': coding });
    case 'stays': {
      const wants = r.fields['accept-encoding'] ?? '';
      const c = wants.includes('br') ? 'br' : 'gzip';
      return reply(coders[c](text).toString('latin1'), { ...minute, 'Cache-Control': 'max-age=60, no-transform', 'Content-Encoding': c });
    }
    case 'plain-stays': return reply(text, { ...minute, 'Cache-Control': 'max-age=60, no-transform' });
    case 'bomb': return reply(bomb, { ...minute, 'Content-Encoding': 'gzip' });
    case 'damaged': return reply(made.slice(0, 60) + 'x'.repeat(99), { ...minute, 'Content-Encoding': coding });
    case 'short': return reply(made.slice(0, -9), { ...minute, 'Content-Encoding': coding });
    case 'private': return reply(made, { ...fields, 'Cache-Control': 'private' });
    default: return reply(text, minute);
  }
};
const plain = (r) => ({ br: brotliDecompressSync, gzip: gunzipSync }[r.fields['content-encoding']] ?? ((b) => b))(Buffer.from(r.body, 'latin1')).toString('latin1');
const asks = (offer) => (offer ? { 'Accept-Encoding': offer } : {});

await scenario({ answer }, async ({ ask, cases, freshet, origin }) => {
  for (const how of ['length', 'chunked', 'close'])
    for (const coding of ['gzip', 'x-gzip', 'br']) {
      const target = `/${how}/${coding}`, before = origin.requests.length;
      for (const offer of ['gzip', 'br', '', 'identity', 'gzip, deflate, br, zstd', 'gzip']) {
        const r = await ask(target, asks(offer));
        await cases.check(`${target} for ${offer}`, () => equal(plain(r), text));
        await cases.check('accepted', () => check(!r.fields['content-encoding'] || offer.includes(r.fields['content-encoding']), r.head));
        await freshet.until('coding_now', '==', 0);
      }
      await cases.check(`${target}: one render`, () => equal(origin.requests.length, before + 1));
      const r = await ask(target);
      await cases.check('a weak ETag', () => equal(r.fields.etag, 'W/"own"'));
      const own = await ask(target, asks(coding === 'br' ? 'br' : 'gzip'));
      await cases.check('the origin\'s own coding, with its tag', () => equal(`${own.fields.etag} ${own.body === coders[coding](text).toString('latin1')}`, '"own" true'));
      await cases.check('its length', () => equal(+own.fields['content-length'], own.body.length));
      await cases.check('it varies', () => check(/accept-encoding/i.test(own.fields.vary), own.head));
      if (coding === 'br') await cases.check('another coding', async () => equal((await ask(target, asks('gzip'))).fields.etag, 'W/"own~gzip6"'));
      // The 304 has the tag of what the visitor has: strong for those bytes, weak for the plain ones.
      const mine = asks(coding === 'br' ? 'br' : 'gzip');
      for (const [tag, offer, status, etag] of [['"own"', mine, 304, '"own"'], ['W/"own"', mine, 304, 'W/"own"'], ['W/"own", "own"', mine, 304, '"own"'],
        ['"own"', {}, 304, 'W/"own"'], ['"own"', asks('identity'), 304, 'W/"own"'], ['*', mine, 304, '"own"'], ['"other"', mine, 200, '"own"'],
        ['W/"own"', { 'Accept-Encoding': `${mine['Accept-Encoding']}, identity;q=0` }, 304, '"own"'],
        ['W/"own~gzip6"', asks('gzip, br'), 304, 'W/"own~gzip6"'], ['W/"own~gzip6"', asks('zstd'), 200, undefined]]) {
        const r = await ask(target, { ...offer, 'If-None-Match': tag });
        await cases.check(`${target}: If-None-Match: ${tag} ${JSON.stringify(offer)}`, () => equal(`${r.status} ${etag && r.fields.etag}`, `${status} ${etag}`));
      }
      await cases.check('ranges are of the plain one', async () => equal((await ask(target, { ...asks('gzip'), Range: 'bytes=2-5' })).body, text.slice(2, 6)));
      await freshet.advance('61s');
      const again = await ask(target, asks('gzip'));
      await cases.check('confirmed by its own tag', () => check(/fwd=stale; fwd-status=304; stored/.test(again.fields['cache-status']), again.head));
      await cases.check('with the same body', () => equal(plain(again), text));
      await cases.check('the origin\'s coding stays', async () => equal((await ask(target, asks(coding === 'br' ? 'br' : 'gzip'))).fields.etag, '"own"'));
      await cases.check('and once more', async () => {
        await freshet.advance('61s');
        equal(plain(await ask(target)), text);
        equal(origin.requests.at(-1).fields['if-none-match'], '"own"');
      });
    }

  // Without an ETag and Last-Modified: the plain body has an ETag, ours, and what we make of it; the origin's coding has none.
  {
    const mine = asks('gzip'), own = await ask('/none/gzip', mine), tag = (await ask('/none/gzip')).fields.etag;
    await cases.check('the origin\'s coding has none', () => equal(`${own.fields['content-encoding']} ${own.fields.etag}`, 'gzip undefined'));
    await cases.check('the plain one has ours', () => check(/^"/.test(tag), tag));
    for (const [fields, status, etag] of [[{ ...mine, 'If-None-Match': tag }, 304, tag], [{ 'If-None-Match': tag }, 304, tag],
      [{ ...mine, 'If-None-Match': '*' }, 304, undefined], [{ ...mine, 'If-None-Match': '"x"' }, 200, undefined]]) {
      const r = await ask('/none/gzip', fields);
      await cases.check(JSON.stringify(fields), () => equal(`${r.status} ${r.fields.etag}`, `${status} ${etag}`));
    }
    await ask('/none/gzip', asks('br'));
    await freshet.until('coding_now', '==', 0);
    await cases.check('another coding has ours', async () => equal((await ask('/none/gzip', asks('br'))).fields.etag, tag.replace(/"$/, '~br5"')));
  }
  // With Last-Modified alone there are no tags, and a 304 keeps the origin's coding.
  for (const about of ['before', 'after a 304', 'after two']) {
    const mine = asks('gzip'), since = { 'If-Modified-Since': 'Mon, 01 Jan 2024 00:00:00 GMT' };
    for (const [fields, status, coding] of [[mine, 200, 'gzip'], [{}, 200, undefined], [asks('br'), 200, undefined], [{ ...mine, 'If-None-Match': '"x"' }, 200, 'gzip'],
      [{ ...mine, ...since }, 304, undefined], [since, 304, undefined]]) {
      const r = await ask('/dated/gzip', fields);
      await cases.check(`${about}: ${JSON.stringify(fields)}`, () => equal(`${r.status} ${coding && r.fields['content-encoding']} ${r.fields.etag}`, `${status} ${coding} undefined`));
    }
    await freshet.advance('61s');
    const again = await ask('/dated/gzip', mine);
    await cases.check('confirmed', () => check(/fwd=stale; fwd-status=304; stored/.test(again.fields['cache-status']), again.head));
  }

  // A coding that stays: each visitor gets what the origin gives to the like of him.
  for (const [offer, coding] of [['br', 'br'], ['gzip', 'gzip'], ['gzip, deflate, br', 'br'], ['gzip', 'gzip'], ['br', 'br']]) {
    const r = await ask('/stays/', asks(offer));
    await cases.check(`no-transform, for ${offer}`, () => equal(r.fields['content-encoding'], coding));
    await cases.check('and its bytes', () => equal(plain(r), text));
  }
  await cases.check('hits', async () => check(/; hit;/.test((await ask('/stays/', asks('gzip'))).fields['cache-status']), 'no hit'));
  await cases.check('explain finds it', async () => {
    const e = JSON.parse((await freshet.api('GET', `/api/v1/explain?url=http://test/stays/&header=${encodeURIComponent('Accept-Encoding: gzip')}`)).text);
    equal(e.outcome, 'hit');
  });
  for (let i = 0; i < 3; i++) {
    const r = await ask('/plain-stays/', asks('br'));
    await cases.check('no-transform without a coding', () => equal(`${r.fields['content-encoding']} ${r.body === text}`, 'undefined true'));
  }
  await ask('/unknown/deflate', asks('gzip'));
  const unknown = await ask('/unknown/deflate', asks('gzip'));
  await cases.check('an unknown one stays', () => equal(unknown.fields['content-encoding'], 'deflate'));

  // Trouble.
  for (const target of ['/damaged/gzip', '/damaged/br', '/short/gzip', '/short/br', '/bomb/gzip'])
    for (const offer of ['gzip', 'br']) {
      const r = await ask(target, asks(offer)).catch(() => 'cut');
      await cases.check(`${target} does not end well`, () => check(r === 'cut' || r === undefined || r.cut || r.status === 502, JSON.stringify(r)?.slice(0, 300)));
      await freshet.settle();
    }
  await freshet.until('coding_now', '==', 0);
  await cases.check('memory has nothing of it', async () => check((await freshet.gauges()).memory < 20e6, 'memory'));
  await cases.check('the log says why', () => check(/coding-bomb|more than a thousand times/.test(freshet.log()) && /not in the coding/.test(freshet.log()), freshet.log()));

  // What is not stored passes as it came.
  const own = await ask('/private/gzip', asks('gzip'));
  await cases.check('private', () => equal(own.fields['content-encoding'], 'gzip'));
  await ask('/private/gzip', asks('gzip, deflate, br'));
  await soon(() => origin.requests.at(-1).fields['accept-encoding'] === 'gzip, deflate, br');
  await cases.check('asked as the visitor asks', () => equal(origin.requests.at(-1).fields['accept-encoding'], 'gzip, deflate, br'));
});
