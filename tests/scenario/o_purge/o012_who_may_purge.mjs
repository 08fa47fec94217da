// Purging needs the token, on the admin listener, with POST; nothing else purges, and the token is never logged.
// scenarios O12, O14; hostile h3-17 (Purge API abuse); DESIGN "Purge API"
import { check, equal, reply, scenario } from '../lib.mjs';

const token = 'token-of-the-tests';
let n = 0;
await scenario({ answer: () => reply(`page ${++n}`, { 'Cache-Control': 'max-age=60', 'Cache-Tag': 't' }), flags: ['--access-log', 'access'] },
  async ({ ask, cases, freshet, origin }) => {
    const purge = '/api/v1/purge';
    const all = '{}';
    equal((await ask('/')).body, 'page 1');
    const still = async () => equal((await ask('/')).body, 'page 1', 'the page');
    for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer wrong', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, `bearer${token}`,
      token, `Bearer ${token.toUpperCase()}`, `Bearer ${token} ${token}`, `Bearer "${token}"`]) {
      await cases.check(`Authorization: ${authorization}`, async () => {
        equal((await freshet.api('POST', purge, all, { authorization })).status, 401);
        await still();
      });
    }
    for (const method of ['GET', 'PUT', 'DELETE', 'PURGE', 'PATCH']) {
      await cases.check(`${method} does not purge`, async () => {
        const { status } = await freshet.api(method, purge, method === 'GET' ? undefined : all);
        check(status === 405 || status === 404, `status ${status}`);
        await still();
      });
    }
    for (const [what, body, status] of [['no JSON', 'purge it', 400], ['half', '{"cache_tags":["t"', 400], ['an array', '[]', 400], ['a string', '"all"', 400],
      ['tags that are none', '{"cache_tags":"t"}', 400], ['a number', '{"cache_tags":[1]}', 400], ['null', '{"cache_tags":[null]}', 400],
      ['soft that is none', '{"cache_tags":["t"],"soft":"yes"}', 400], ['nothing', '', 400], ['deep', '['.repeat(100_000), 400],
      ['a NUL', '{"cache_tags":["a\\u0000b"]}', 400], ['twice the same key', '{"cache_tags":[],"cache_tags":["t"]}', 400],
      ['a megabyte', JSON.stringify({ cache_tags: Array.from({ length: 100_000 }, (_, i) => `tag-${i}`) }), 413]]) {
      await cases.check(`a body with ${what}`, async () => {
        equal((await freshet.api('POST', purge, body)).status, status);
        await still();
      });
    }
    await cases.check('a word that we do not know is refused or ignored, never more than asked', async () => {
      const { status } = await freshet.api('POST', purge, '{"cache_tags":["other"],"everything":true}');
      check(status === 202 || status === 400, `status ${status}`);
      await still();
    });
    for (const [method, target] of [['POST', purge], ['PURGE', '/'], ['BAN', '/'], ['GET', `${purge}?cache_tags=t`]]) {
      await cases.check(`${method} ${target} on the public listener is the site's own`, async () => {
        const before = origin.requests.length;
        const r = await ask(target, { Authorization: `Bearer ${token}` }, { method, body: method === 'POST' ? all : '' });
        equal(r.status, ['PURGE', 'BAN'].includes(method) ? 405 : 200);
        equal(origin.requests.length <= before + 1, true);
      });
    }
    await cases.check("a client's Cache-Tag does nothing", async () => {
      await ask('/tagged', { 'Cache-Tag': 'mine', 'Netlify-Cache-Tag': 'mine' });
      const { body } = await ask('/tagged');
      await freshet.api('POST', purge, '{"cache_tags":["mine"]}');
      equal((await ask('/tagged')).body, body);
    });
    for (const target of ['/api/v1/status', '/api/v1/explain?url=http://test/']) {
      await cases.check(`${target} needs the token too`, async () => {
        equal((await freshet.api('GET', target, undefined, { authorization: 'Bearer wrong' })).status, 401);
        equal((await freshet.api('GET', target)).status, 200);
      });
    }
    for (const target of ['/healthz', '/readyz', '/metrics']) {
      await cases.check(`${target} does not`, async () => equal((await freshet.api('GET', target, undefined, { authorization: '' })).status, 200));
    }
    await cases.check('the token is in no log', () => check(!freshet.log().includes(token), freshet.log()));
  });
