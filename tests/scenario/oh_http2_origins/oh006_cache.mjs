// What comes by a shared HTTP/2 connection is purged, refreshed behind visitors, drained and upgraded like all else: a purge holds for what is under way,
// one refresh is for many, a drained origin gets nothing on the connection that it has, and each process has its own.
// CACHING.md 3.4, 5.4, 7; scenarios F16, O3, B2, V14
import { answer_data as data, answer_head as head, FrameOrigin, reset } from '../h2.mjs';
import { check, equal, request, scenario, soon } from '../lib.mjs';

const [a, b, c] = await Promise.all(Array.from({ length: 3 }, () => new FrameOrigin().listen()));
const yaml = () => `workers: 1
slow_start: 0
origin_http2: only
sites:
  one:
    hosts: [test]
    origin: ${a.url}
  shop:
    hosts: [shop]
    origin: ["${b.url}", "${c.url}"]`;
const say = (r, text, policy = 'no-store') => r.on.send([head(r.id, [['cache-control', policy], ['cache-tag', 't']]), data(r.id, text)]);
const held = [], hold = (r) => held.push(r);

await scenario({ yaml }, async ({ ask, cases, connect, freshet }) => {
  const purge = async (body) => {
    const r = await freshet.api('POST', '/api/v1/purge', body);
    equal(r.status, 202, r.text);
  };
  const afresh = async () => {
    await freshet.settle();
    await purge('{"site_slug":"one"}');
    a.seen.length = b.seen.length = c.seen.length = held.length = 0;
  };
  // A client who has the begin of a page, whose rest is held.
  const begun = async (target, text) => {
    a.answer = hold;
    const x = connect();
    await x.send(request(target));
    await soon(() => held.length === 1);
    held[0].on.send([head(held[0].id, [['cache-control', 's-maxage=60']]), data(held[0].id, text, false)]);
    await x.when(text, () => x.text.includes(text));
    return x;
  };
  for (const [name, pieces] of [['of its own', ['page']], ['behind several', ['p', 'a', 'ge']]])
    await cases.check(`the end of the stream comes later than the last byte (DATA ${name}): who has the page finds it stored`, async () => {
      await afresh();
      a.answer = hold;
      const target = `/late-end/${pieces.length}`, x = connect();
      await x.send(request(target));
      await soon(() => held.length === 1);
      const { on, id } = held[0];
      on.send([head(id, [['cache-control', 'no-cache, max-age=60'], ['etag', '"a"'], ['content-length', '4']]), ...pieces.map((p) => data(id, p, false))]);
      await x.when('all but the last byte', () => x.text.endsWith('\r\n\r\npag'));
      on.send([data(id, '', true)]);
      equal((await x.answers())[0].body, 'page');
      x.close();
      const asked = ask(target);
      await soon(() => held.length === 2);
      equal(held[1].fields['if-none-match'], '"a"', 'what the origin is asked');
      held[1].on.send([head(held[1].id, [['etag', '"a"']], true, '304')]);
      equal((await asked).body, 'page');
    });
  const connections = (origin) => new Set(origin.seen.map((r) => r.on.n)).size;
  for (const body of ['{"site_slug":"one","cache_tags":["t"]}', '{"site_slug":"one"}', '{"urls":["http://test/page"]}'])
    await cases.check(`a purge while a page comes, and one when it is stored: ${body}`, async () => {
      await afresh();
      a.answer = hold;
      const before = [ask('/page'), ask('/page')];
      await freshet.until('requests', '==', 2, 'fetches', '==', 1);
      await soon(() => held.length === 1);
      await purge(body);
      const after = [ask('/page'), ask('/page')];
      await freshet.until('requests', '==', 4);
      say(held[0], 'first', 's-maxage=60');
      for (const r of before) equal((await r).body, 'first');
      await soon(() => held.length === 2);
      say(held[1], 'second', 's-maxage=60');
      for (const r of after) equal((await r).body, 'second');
      await freshet.settle();
      equal((await ask('/page')).body, 'second');
      equal(a.seen.length, 2);
      await purge(body);
      a.answer = (r) => say(r, 'third', 's-maxage=60');
      equal((await ask('/page')).body, 'third');
      equal((await ask('/page')).body, 'third');
      equal(a.seen.length, 3);
      equal(connections(a), 1);
    });
  await cases.check('a purge amid a body: who has its begin gets the rest, and it is not served again', async () => {
    await afresh();
    const x = await begun('/page', 'half');
    await purge('{"site_slug":"one"}');
    const after = ask('/page');
    await soon(() => held.length === 2);
    held[0].on.send(data(held[0].id, ' and half'));
    equal((await x.answers(1))[0].body, 'half and half');
    say(held[1], 'whole', 's-maxage=60');
    equal((await after).body, 'whole');
    equal((await ask('/page')).body, 'whole');
    equal(a.seen.length, 2);
    equal(connections(a), 1);
    x.close();
  });
  const policy = 's-maxage=10, stale-while-revalidate=600';
  const stored = async (names) => {
    a.answer = (r) => say(r, `old ${r.name}`, policy);
    for (const name of names) await ask(`/${name}`);
    await freshet.advance('15s');
    a.seen.length = 0;
  };
  await cases.check('many visitors of stale pages: one refresh for each page, all by one connection', async () => {
    await afresh();
    const names = ['1', '2', '3', '4'];
    await stored(names);
    a.answer = hold;
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`/${names[i % 4]}`)));
    all.forEach((r, i) => equal(r.body, `old ${names[i % 4]}`));
    await soon(() => held.length === 4);
    for (const r of held) say(r, `new ${r.name}`, policy);
    await freshet.settle();
    for (const name of names) equal((await ask(`/${name}`)).body, `new ${name}`);
    equal(a.seen.map((r) => r.name).sort().join(), names.join());
    equal(connections(a), 1);
  });
  await cases.check('a refresh that is refused is made once more, elsewhere; one that is reset leaves the stale page', async () => {
    await afresh();
    await stored(['refused', 'reset']);
    a.answer = (r) => (connections(a) === 1 ? r.on.send(reset(r.id, 7)) : say(r, `new ${r.name}`, policy));
    equal((await ask('/refused')).body, 'old refused');
    await freshet.settle();
    equal((await ask('/refused')).body, 'new refused');
    equal(a.seen.length, 2);
    a.answer = (r) => r.on.send(reset(r.id, 2));
    equal((await ask('/reset')).body, 'old reset');
    await freshet.settle();
    const asked = a.seen.length;
    equal((await ask('/reset')).body, 'old reset');
    await freshet.settle();
    equal(a.seen.length, asked); // it waits before the next
  });
  await cases.check('a purge during a refresh: what that brings is served to nobody', async () => {
    await afresh();
    await stored(['page']);
    a.answer = hold;
    equal((await ask('/page')).body, 'old page');
    await soon(() => held.length === 1);
    await purge('{"site_slug":"one"}');
    const after = ask('/page');
    await freshet.until('requests', '==', 1);
    say(held[0], 'of before', policy);
    await soon(() => held.length === 2);
    say(held[1], 'of after', policy);
    equal((await after).body, 'of after');
    await freshet.settle();
    equal((await ask('/page')).body, 'of after');
  });
  await cases.check('a drained origin gets nothing new on its connection, and what it has ends there', async () => {
    await afresh();
    const get = (target) => ask(target, { Host: 'shop' });
    b.answer = c.answer = hold;
    const all = Array.from({ length: 6 }, (_, i) => get(`/${i}`));
    await soon(() => held.length === 6);
    equal(b.seen.length, 3);
    const connection = b.seen[0].on, said = await freshet.verb('origin', 'drain', b.url);
    equal(said.stdout, `${b.url} is drained: it gets nothing new, and has 3 to end\n`);
    c.answer = (r) => say(r, `c ${r.name}`);
    for (let i = 0; i < 10; i++) equal((await get(`/more${i}`)).body, `c more${i}`);
    equal(b.seen.length, 3);
    equal(connection.ended, false);
    // What it refuses goes to the other one too.
    connection.send(reset(b.seen[0].id, 7));
    for (const r of held) if (r !== b.seen[0]) say(r, `held ${r.name}`);
    const texts = (await Promise.all(all)).map((r) => r.body);
    equal(texts.filter((t) => t.startsWith('held')).length, 5);
    equal(texts.filter((t) => t === `c ${b.seen[0].name}`).length, 1, texts.join());
    equal(b.seen.length, 3);
    await freshet.advance('40s');
    await soon(() => connection.ended);
    equal((await freshet.verb('origin', 'undrain', b.url)).stdout, `${b.url} is no more drained\n`);
    b.answer = (r) => say(r, `b ${r.name}`);
    for (let i = 0; i < 4; i++) await get(`/again${i}`);
    check(b.seen.length > 3 && b.seen.at(-1).on !== connection, `${b.seen.length} requests`);
  });
  await cases.check('an upgrade while it fetches: the old process answers, and the new one has a connection of its own', async () => {
    await afresh();
    const x = await begun('/slow', 'begun');
    await freshet.upgrade();
    a.answer = (r) => say(r, `new ${r.name}`, 's-maxage=60');
    equal((await ask('/other')).body, 'new other');
    equal((await ask('/slow')).body, 'new slow');
    equal(connections(a), 2);
    check(!held[0].on.ended && a.seen.slice(1).every((r) => r.on !== held[0].on), 'the old connection is the old one\'s');
    held[0].on.send(data(held[0].id, ', ended'));
    equal((await x.answers(1))[0].body, 'begun, ended');
    x.close();
    await freshet.drained();
    await soon(() => held[0].on.ended);
    equal((await ask('/slow')).body, 'new slow');
    equal(a.seen.length, 3);
  });
});
