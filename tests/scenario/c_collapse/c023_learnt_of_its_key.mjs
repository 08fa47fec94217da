// What was learnt of an answer belongs to its key: a private answer for one visitor, one query or one large file leaves the others of
// the same path collapsing; a page that has been stored since collapses at once.
// CACHING.md 6.4, 6.2
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const minute = { 'Cache-Control': 's-maxage=60' };
const held = [];
let hold = false;
const body = (r) => {
  if (r.target.startsWith('/cookie')) {
    const his = /login/.test(r.fields.cookie ?? '');
    return reply(his ? 'his' : 'for all', { ...(his ? { 'Cache-Control': 'private, no-store' } : minute), 'Netlify-Vary': 'cookie=login' });
  }
  if (r.target.includes('nocache')) return reply('not stored', { 'Cache-Control': 'no-store' });
  if (r.target === '/vid?big') return reply('x'.repeat(5000), minute);
  if (r.target === '/later') return reply('later', later);
  return reply(`page of ${r.target}`, minute);
};
let later = { 'Cache-Control': 'private' };
const answer = async (r) => {
  if (hold) await new Promise((release) => held.push(release));
  return body(r);
};
const yaml = (url) => `sites:\n  one:\n    origin: ${url}\n    object_bytes: 4K\n`;
await scenario({ answer, yaml, flags: ['--workers', '2'] }, async ({ ask, cases, freshet, origin }) => {
  // Thirty at once, of whom n stand at the origin together, and no more ask it.
  const herd = async (target, fields, n) => {
    const before = origin.requests.length;
    hold = true;
    const all = Array.from({ length: 30 }, () => ask(target, fields));
    try {
      await freshet.until('requests', '==', 30);
      await soon(() => held.length >= n, 5000);
    } finally {
      hold = false;
      held.splice(0).forEach((release) => release());
      await Promise.all(all);
    }
    await freshet.settle();
    equal(origin.requests.length - before, n, 'fetches');
    return Promise.all(all);
  };
  const one = async (target, fields) => cases.check(`one fetch for ${target}`, () => herd(target, fields, 1));

  await ask('/cookie', { Cookie: 'login=1' });
  await one('/cookie', { Cookie: 'other=1' });
  await cases.check('he has his own, the others theirs', async () => {
    equal((await ask('/cookie', { Cookie: 'login=1' })).body, 'his');
    equal((await ask('/cookie')).body, 'for all');
    await herd('/cookie', { Cookie: 'login=1' }, 30);
  });
  await ask('/?nocache=1');
  await one('/');
  await one('/?page=2');
  await cases.check('nobody waits for what is not stored', () => herd('/?nocache=1', {}, 30));
  await cases.check('explain tells the key\'s reason', async () => {
    const of = async (url) => JSON.parse((await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent(url)}`)).text);
    const marked = await of('http://test/?nocache=1');
    equal(`${marked.outcome} ${marked.reason} ${marked.resource.no_queue_left_s > 0}`, 'pass no-store true');
    const other = await of('http://test/?page=3');
    equal(`${other.outcome} ${other.reason} ${other.resource.no_queue_left_s}`, 'miss undefined undefined');
  });
  await ask('/vid?big');
  await cases.check('a small file of the same path is stored whole', async () => {
    const before = origin.requests.length;
    equal((await ask('/vid?small', { Range: 'bytes=0-3' })).body, 'page');
    await freshet.settle();
    equal((await ask('/vid?small', { Range: 'bytes=-5' })).body, 'small');
    equal(origin.requests.length - before, 1);
  });

  await ask('/later');
  later = minute;
  await cases.check('what does not queue is stored when an answer permits it', async () =>
    equal((await ask('/later')).fields['cache-status'], 'freshet; fwd=uri-miss; stored'));
  await freshet.advance('61s');
  await one('/later');

  // A browser's spelling is not what a page is stored under: what passed as it came is not stored, and ends the mark.
  later = { 'Cache-Control': 'private' };
  await freshet.advance('61s');
  const browser = { 'Accept-Encoding': 'gzip, deflate, br, zstd' };
  await ask('/later', browser);
  later = minute;
  await cases.check('the first answer that permits storing', async () => {
    const r = await ask('/later', browser);
    equal(r.fields['cache-status'], 'freshet; fwd=uri-miss; detail=not-shared');
    equal(origin.requests.at(-1).fields['accept-encoding'], 'gzip, deflate, br, zstd');
  });
  await cases.check('and then all go by one', async () => {
    const got = await herd('/later', browser, 1);
    equal(origin.requests.at(-1).fields['accept-encoding'], 'identity');
    check(got.every((r) => r.body === 'later'));
  });
});
