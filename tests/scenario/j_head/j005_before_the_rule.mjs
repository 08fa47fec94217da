// A HEAD that began before the page's rule was known is answered for its own variant, nothing of it is stored, and it is that
// variant of what is stored meanwhile that its answer is compared with.
// scenarios J2, J4; CACHING.md 6.3; RFC 9111 section 4.3.5
import { equal, gate, reply, request, scenario } from '../lib.mjs';

const held = { HEAD: gate(), GET: gate() };
let length = 4;
const answer = async (r) => {
  const who = /v=(\w)/.exec(r.fields.cookie ?? '')?.[1] ?? 'x';
  const fields = { ETag: `"${who}"`, 'Cache-Control': 's-maxage=60', 'Netlify-Vary': 'cookie=v' };
  if (r.fields['if-none-match']) return `HTTP/1.1 304 Not Modified\r\nETag: "${who}"\r\n\r\n`;
  await held[r.method].opened;
  const all = reply(who.repeat(4), { ...fields, ...(r.method === 'HEAD' ? { 'Content-Length': length } : {}) });
  return r.method === 'HEAD' ? all.slice(0, -4) : all;
};
await scenario({ answer }, async ({ ask, connect, cases, freshet, origin, arrived }) => {
  const b = { Cookie: 'v=b' };
  const asked = () => origin.requests.map((r) => `${r.method} ${r.target} ${r.fields.cookie ?? ''} ${r.fields['if-none-match'] ?? ''}`.trimEnd());
  const get = async (target, fields, method = 'GET') => {
    const r = await ask(target, fields, { method });
    return `${r.fields.etag} ${r.body} ${r.fields['cache-status'].replace(/ttl=\d+/, 'ttl=N')}`;
  };

  await cases.check('one that waits for the GET of another is answered for itself', async () => {
    const leader = ask('/joined');
    await arrived(1);
    const head = connect();
    await head.send(request('/joined', b, { method: 'HEAD' }));
    await freshet.until('requests', '==', 2);
    held.GET.open();
    await leader;
    equal((await head.answers(1, ['HEAD']))[0].fields.etag, '"b"');
    head.close();
    equal(await get('/joined', b), '"b" bbbb freshet; hit; ttl=N');
    equal(await get('/joined'), '"x" xxxx freshet; hit; ttl=N');
    equal(asked().join(), 'GET /joined,GET /joined v=b');
  });

  for (const [name, target, says, whose, is] of [
    ['what it says of its variant is nothing about another', '/another', 5, {}, '"x" xxxx freshet; hit; ttl=N'],
    ['the same length is no news', '/same', 4, b, '"b" bbbb freshet; hit; ttl=N'],
    ['another length of its own variant is', '/own', 5, b, '"b" bbbb freshet; fwd=stale; fwd-status=304; stored'],
  ]) {
    await cases.check(name, async () => {
      origin.requests.length = 0;
      held.HEAD = gate();
      length = says;
      const head = ask(target, b, { method: 'HEAD' });
      await arrived(1);
      await ask(target, whose);
      held.HEAD.open();
      equal((await head).fields.etag, '"b"');
      await freshet.settle();
      equal(await get(target, whose), is);
      equal(asked()[0], `HEAD ${target} v=b`);
    });
  }
});
