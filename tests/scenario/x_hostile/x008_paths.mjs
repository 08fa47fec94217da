// Paths: the origin is sent the spelling that came, without dot segments, and each spelling is a page of its own: it answers with the page
// of exactly the path that the origin saw; no two paths that differ there share one; what cannot be a path is refused. Purges know all
// spellings.
// hostile h3-10 (Normalisation), h3-09 (Key injection), h0-04; CACHING.md 4.1
import { check, equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(r.target, { 'Cache-Control': 'max-age=60' });
await scenario({ answer }, async ({ ask, cases, freshet, origin }) => {
  // spelling, what the origin must be sent; null: 400
  const rows = [['/a/b', '/a/b'], ['/a/../b', '/b'], ['/a/./b', '/a/b'], ['/../b', '/b'], ['/a/..', '/'], ['/%2e%2e/b', '/b'], ['/a/%2E./b', '/b'], ['/a/.%2e/b', '/b'], ['//b', '//b'],
    ['/a//b', '/a//b'], ['/b%2f', '/b%2f'], ['/b%2F', '/b%2F'], ['/%61', '/%61'], ['/%7Euser', '/%7Euser'], ['/%41', '/%41'], ['/a%20b', '/a%20b'], ['/a%c3%a9', '/a%c3%a9'],
    ['/a;x=1', '/a;x=1'], ['/a%3bx', '/a%3bx'], ['/a,b', '/a,b'], ['/a%3F', '/a%3F'], ['/a%23', '/a%23'], ['/a%25', '/a%25'], ['/a%2561', '/a%2561'], ['/a:b@c', '/a:b@c'],
    ['/a/', '/a/'], ['/a/../../../b/', '/b/'], ['/...', '/...'], ['/..a', '/..a'], ['/a/..b/', '/a/..b/'], ['/%2e%2e%2fb', '/%2e%2e%2fb'], ['/%7e/%2e./%7eb/.', '/%7eb/'], ['/a/%2e%2E/%62/..%2f', '/%62/..%2f'], ['/a?../b', '/a?../b'], ['/a?%61', '/a?%61'], ['/caf\xc3\xa9?q=\xe2\x82\xac', '/caf%C3%A9?q=%E2%82%AC'], ['/\xf0\x9f\x98\x80', '/%F0%9F%98%80'], ['/x?\xc3\xa9=%', '/x?%C3%A9=%'],
    ['/\xfc', null], ['/a?\xfc', null], ['/\xc0\xaf', null], ['/\xed\xa0\x80', null], ['/a\xc3', null], ['/\xc3/\xa9', null], ['/\xc2\x80\x01', null], ['http://test\xc3\xa9/', null],
    ['/%zz', null], ['/%', null], ['/%2', null], ['/%00', null], ['/%0A', null], ['/%0d%0a', null], ['/%1f', null], ['/%7f', null], ['/a#b', null], ['/a%g0', null]];
  for (const [target, sent] of rows) {
    await cases.check(`${target} is ${sent ?? 'refused'}`, async () => {
      const before = origin.requests.length;
      const r = await ask(target);
      if (sent === null) {
        equal(r.status, 400);
        equal(origin.requests.length, before, 'requests at the origin');
        return;
      }
      equal(r.body, sent);
      equal((await ask(target)).body, sent, 'the second time');
    });
  }
  // Everything that can go wrong together: no answer may be the page of another path than the one sent for it.
  const parts = ['a', '..', '.', '%2e%2e', '', 'b%2f', '%61', 'x;y', '%5c', 'a%00b'.slice(0, 1), '~', '%7e'];
  for (const x of parts) {
    for (const y of parts) {
      await cases.check(`/${x}/${y}`, async () => {
        const seen = origin.requests.length;
        const r = await ask(`/k/${x}/${y}?q=${x}`);
        if (origin.requests.length > seen) equal(r.body, origin.requests.at(-1).target);
        else check(origin.requests.some((o) => o.target === r.body), `a page that nobody made: ${r.body}`);
        check(!/\/\.\.?(\/|\?|$)/.test(r.body.split('?')[0]), `dots at the origin: ${r.body}`);
        equal(r.body.split('?')[1], `q=${x}`, 'query');
      });
    }
  }
  // Pairs whose parts, put together without care, would make one key.
  const pairs = [[['/a', 'b'], ['/ab', '']], [['/x', 'h'], ['/', 'hx']], [['/a?b', 'h'], ['/a%3Fb', 'h']], [['/a', 'h:81'], ['/81/a', 'h']], [['/a?', 'h'], ['/a', 'h']], [['/a&b', 'h'], ['/a?b', 'h']]];
  for (const [p, q] of pairs) {
    await cases.check(`${p} and ${q}`, async () => {
      if (q[1] === '') return;
      const [r, s] = [await ask(p[0], { Host: p[1] }), await ask(q[0], { Host: q[1] })];
      if (p[0].replace(/\?$/, '') === q[0]) equal(s.body, r.body);
      else check(s.body !== r.body && s.body === q[0], `${r.body} and ${s.body}`);
    });
  }
  // One page: a purge of any spelling takes all, and the rule that one has learnt holds for all.
  const spellings = ['/one/~b', '/one/%7Eb', '/one/%7eb', '/one/x/../%7eb'];
  for (const purged of ['/one/~b', '/one/%7eb', '/one/./%7E%62']) {
    await cases.check(`a purge of ${purged} takes every spelling`, async () => {
      for (const p of spellings) await ask(p);
      for (const p of spellings) check((await ask(p)).fields['cache-status'].startsWith('freshet; hit'), `${p} is stored`);
      equal((await freshet.api('POST', '/api/v1/purge', JSON.stringify({ urls: [`http://test${purged}`] }))).status, 202);
      for (const p of spellings.slice(0, 3)) check((await ask(p)).fields['cache-status'].includes('; fwd='), `${p} is gone`);
    });
  }
  await cases.check('a POST to one spelling makes all of them stale', async () => {
    for (const p of spellings) await ask(p);
    await ask('/one/%7eb', {}, { method: 'POST', body: 'x' });
    for (const p of spellings.slice(0, 3)) check((await ask(p)).fields['cache-status'].includes('; fwd=stale'), `${p} is asked for again`);
  });
});
