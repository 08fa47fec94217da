// Whose head has come is a stored response for who asks later, though its body still comes: when it may not be used without asking the
// origin (no-cache of the answer or of the request, a lifetime that is over), he does not get it. Who waited for the head does.
// CACHING.md 6.4, 3; RFC 9111 §5.2.2.4, §5.2.1.1, §5.2.1.4
import { check, equal, gate, reply, request, scenario, soon } from '../lib.mjs';

let policy, head, rest;
const answer = (r) => {
  if (rest.length === 0)
    return [head.opened.then(() => `HTTP/1.1 200 OK\r\nCache-Control: ${policy}\r\nETag: "a"\r\nContent-Length: 8\r\n\r\nhalf`), new Promise((go) => rest.push(go))];
  return reply('new', { 'Cache-Control': policy, ETag: '"b"' });
};
// name: the answer's Cache-Control, the later request's fields, is the origin asked?
const cases_ = {
  'a page that may be used': ['max-age=600', {}, false],
  'no-cache': ['no-cache', {}, true],
  'no-cache beside a lifetime': ['no-cache, max-age=600', {}, true],
  'no-cache beside one for shared caches': ['s-maxage=600, no-cache, must-revalidate', {}, true],
  'no lifetime': ['s-maxage=0', {}, true],
  'no lifetime, but a window': ['max-age=0, stale-while-revalidate=60', {}, false],
};
const of_requests = {
  'no-cache of the request': ['max-age=600', { 'Cache-Control': 'no-cache' }, true],
  'max-age=0 of the request': ['max-age=600', { 'Cache-Control': 'max-age=0' }, true],
  'min-fresh of the request': ['max-age=600', { 'Cache-Control': 'min-fresh=700' }, true],
  'a lifetime that is over, though the request would do with it': ['max-age=0', { 'Cache-Control': 'max-stale' }, true],
  'a window that does not count (RFC 9111 §5.2.2.10)': ['s-maxage=0, stale-while-revalidate=60', {}, true],
};
const yaml = (url) => `sites:\n  one:\n    hosts: [test]\n    origin: ${url}\n  book:\n    hosts: [book]\n    origin: ${url}\n    profile: rfc9111\n`;
await scenario({ answer, yaml }, async ({ ask, cases, connect, freshet, origin }) => {
  let n = 0;
  for (const [profile, host, table] of [['isr', 'test', cases_], ['rfc9111', 'book', { ...cases_, ...of_requests }]])
    for (const [name, [says, fields, is_asked]] of Object.entries(table))
      await cases.check(`${profile}: ${name}`, async () => {
        [policy, head, rest] = [says, gate(), []];
        const target = `/slow/${++n}`, before = origin.requests.length;
        const first = connect(), waiting = connect(), later = connect();
        await first.send(request(target, { Host: host }));
        await freshet.until('fetches', '==', 1);
        await waiting.send(request(target, { Host: host }));
        await freshet.until('requests', '==', 2);
        await soon(() => rest.length === 1);
        head.open();
        for (const c of [first, waiting]) await c.when('a half', () => c.text.includes('half'));
        equal(origin.requests.length, before + 1, 'requests for who waited');
        await freshet.advance('1s');
        await later.send(request(target, { Host: host, ...fields }));
        if (is_asked) equal((await later.answers())[0].body, 'new');
        else await later.when('a half', () => later.text.includes('half'));
        rest[0]('rest');
        for (const c of [first, waiting, ...(is_asked ? [] : [later])]) equal((await c.answers())[0].body, 'halfrest');
        await freshet.settle();
        equal(origin.requests.length, before + 1 + is_asked, 'requests');
        for (const c of [first, waiting, later]) c.close();
        // What is stored at last is whole.
        const last = await ask(target, { Host: host, 'Cache-Control': 'only-if-cached, max-stale' });
        check(['halfrest', 'new'].includes(last.body) || last.status === 504, `${last.status} ${last.body}`);
      });
});
