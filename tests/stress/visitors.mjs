// Two visitors who differ in what a page varies on (cookie, header, language, country) ask at the same moment on different workers: each gets
// his own page, when it is cold, when it is refreshed, and when its rule changes. What the rule leaves out of the query reaches
// nobody else. A refresh carries nothing of the visitor but what the rule names.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { mmdb } from '../scenario/mmdb.mjs';
import { Client, below, chance, check, done, equal, pause, pick, scaled, stress } from './lib.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'freshet-countries-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true }));
const countries = path.join(folder, 'countries.mmdb');
fs.writeFileSync(countries, mmdb({ '192.0.2.0/24': { country_code: 'DE' }, '198.51.100.0/24': { country_code: 'NL' } }));

const rounds = scaled(150, 25);
// By what a page varies: its header, what a visitor sends to be a or b, and how the origin reads it back.
const ways = {
  cookie: { rule: 'Netlify-Vary: cookie=theme', send: (who) => ({ Cookie: `session=${who}-${below(1e9)}; theme=${who}` }),
    read: (f) => /theme=(\w+)/.exec(f.cookie ?? '')?.[1] },
  header: { rule: 'Netlify-Vary: header=X-Theme', send: (who) => ({ 'X-Theme': who }), read: (f) => f['x-theme'] },
  vary: { rule: 'Vary: X-Theme', send: (who) => ({ 'X-Theme': who }), read: (f) => f['x-theme'] },
  vary_cookie: { rule: 'Vary: Cookie', send: (who) => ({ Cookie: `theme=${who}` }), read: (f) => /theme=(\w+)/.exec(f.cookie ?? '')?.[1] },
  language: { rule: 'Netlify-Vary: language=de|nl', send: (who) => ({ 'Accept-Language': `${who};q=0.9, xx;q=0.1` }),
    read: (f) => /\b(de|nl)\b/.exec(f['accept-language'] ?? '')?.[1], whos: ['de', 'nl'] },
  // What the visitor says himself of his country is the other's.
  country: { rule: 'Netlify-Vary: country=de|nl', whos: ['de', 'nl'],
    send: (who) => (who === 'de' ? { 'X-Forwarded-For': `192.0.2.${below(256)}`, 'X-Country': 'NL' }
      : { 'X-Forwarded-For': `198.51.100.${below(256)}`, 'X-Country': 'DE' }),
    read: (f) => f['x-country']?.toLowerCase() },
};
const seen = new Map(); // target: requests at the origin
let rules_on = true;
let held = null; // answers wait until the test lets them go

// Pages that are somebody's: who is logged in gets his own, marked as such in one way or another; who is not gets the public one.
async function mine(request, c) {
  const who = request.fields.authorization ?? /session=(\w+)/.exec(request.fields.cookie ?? '')?.[1];
  const how = request.target.split('/')[2];
  const body = `<${who ?? 'anybody'}> ${request.target}`;
  const session = `s${below(1e9)}`;
  const fields = { private: who ? 'Cache-Control: private, max-age=60' : 'Cache-Control: s-maxage=60', 'no-store': who ? 'Cache-Control: no-store' : 'Cache-Control: s-maxage=60',
    // A cookie of his own for everyone who has none.
    cookie: `Cache-Control: s-maxage=60${who ? '' : `\r\nSet-Cookie: session=${session}\r\nX-Session: ${session}`}`,
    authorization: 'Cache-Control: max-age=60' }[how];
  if (how === 'cookie' && who) {
    await c.write(`HTTP/1.1 200 OK\r\nCache-Control: private\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return;
  }
  if (chance(0.5)) await pause(below(6));
  await c.write(`HTTP/1.1 200 OK\r\n${fields}\r\nContent-Length: ${body.length}\r\n\r\n`);
  if (chance(0.5)) await pause(below(4));
  await c.write(body);
}

async function answer(request, c) {
  const id = request.fields['x-request-id'];
  if (request.target === '/who') { // which worker is at the other end
    await c.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX-Worker: ${id.split('-')[1].length > 10 ? 1 : 0}\r\n\r\n.`);
    return;
  }
  if (request.target.startsWith('/mine/')) return void (await mine(request, c));
  const url = new URL(request.target, 'http://test');
  const way = ways[url.pathname.split('/')[1]];
  seen.set(request.target, [...(seen.get(request.target) ?? []), request.fields]);
  if (held) await held;
  if (chance(0.5)) await pause(below(6));
  const who = rules_on && way ? way.read(request.fields) : 'anybody';
  const rule = way ? (rules_on ? `${way.rule}\r\n` : '') : 'Netlify-Vary: query=id\r\n';
  // The whole query is written into the page, as a page does that makes links to itself.
  const body = `<${who}> ${url.pathname} [${url.search}] ` + 'y'.repeat(below(20_000));
  await c.write(`HTTP/1.1 200 OK\r\nCache-Control: s-maxage=10, stale-while-revalidate=3600\r\n${rule}Content-Length: ${body.length}\r\n\r\n`);
  await c.write(body);
}

await stress(`${rounds} rounds of two visitors at the same moment`, { answer,
  flags: ['--idle-timeout', '1d', '--country-database', countries, '--trusted-proxies', '127.0.0.1'] }, async ({ freshet, at }) => {
  // Connections whose worker is known.
  const on = [[], []];
  for (let tries = 0; (on[0].length < 8 || on[1].length < 8) && tries < 400; tries++) {
    const c = new Client(at);
    const r = await c.ask('/who', {}, { method: 'POST', body: '' });
    on[+r.fields['x-worker']].push(c);
  }
  check(on[0].length >= 8 && on[1].length >= 8, 'both workers are reached', `${on[0].length} and ${on[1].length}`);

  const who_of = (r) => /^<(\w+)>/.exec(r.body.toString('latin1'))?.[1];
  // Everyone at once: [worker, who] pairs.
  const ask_all = (target, way, whos, places) => Promise.all(whos.map((who, i) => {
    const c = on[places[i % places.length]][i];
    return c.ask(target, way.send(who));
  }));
  const his = (answers, whos, what, target) => answers.forEach((r, i) => {
    equal(r.status, 200, `${what}: answered`);
    equal(who_of(r), whos[i], `${what}: his own page`) || console.log(`  ${target} ${r.fields['cache-status']}`);
  });

  let n = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const [a, b] = way.whos ?? ['amber', 'blue'];
      const target = `/${name}/${n++}`;
      const places = chance(0.8) ? pick([[0, 1], [1, 0]]) : pick([[0, 0], [1, 1]]);
      const crowd = chance(0.5) ? [a, b] : [a, b, b, a, a, b, a, b];
      let go_on;
      if (chance(0.3)) held = new Promise((r) => (go_on = r)); // all have joined before the rule is known
      const cold = ask_all(target, way, crowd, places);
      if (go_on) {
        await freshet.until('all are there', (g) => g.requests_open === crowd.length);
        go_on();
        held = null;
      }
      his(await cold, crowd, `${name}, cold`, target);
      if (round % 5) continue;
      // Stale: both go out at once, both are refreshed, each with his own.
      await freshet.settle();
      await freshet.advance(11_000);
      const before = (seen.get(target) ?? []).length;
      his(await ask_all(target, way, crowd, places), crowd, `${name}, stale`, target);
      await freshet.settle();
      for (const f of (seen.get(target) ?? []).slice(before)) {
        check(!/session=/.test(f.cookie ?? ''), `${name}: a refresh carries no cookie but the rule's`, f.cookie);
        check([a, b].includes(way.read(f)), `${name}: a refresh carries its variant's value`, () => JSON.stringify(f));
      }
      his(await ask_all(target, way, crowd, places), crowd, `${name}, refreshed`, target);
      await freshet.settle();
    }
  }

  // The page begins to vary while it is refreshed and asked for: nobody gets what was made for another.
  for (let round = 0; round < scaled(30, 8); round++) {
    const name = pick(['cookie', 'header', 'vary', 'language', 'country']);
    const way = ways[name];
    const [a, b] = way.whos ?? ['amber', 'blue'];
    const target = `/${name}/turn-${round}`;
    rules_on = false;
    equal(who_of(await on[0][0].ask(target, way.send(a))), 'anybody', 'the page is for all');
    await freshet.settle();
    await freshet.advance(11_000);
    rules_on = true;
    for (let turn = 0; turn < 4; turn++) {
      const crowd = [a, b, a, b];
      const got = await ask_all(target, way, crowd, [0, 1]);
      got.forEach((r, i) => check(['anybody', crowd[i]].includes(who_of(r)), `${name}: the rule came with a refresh`, () => `${who_of(r)} for ${crowd[i]}: ${r.fields['cache-status']}`));
      if (chance(0.5)) await freshet.settle();
    }
    await freshet.settle();
    his(await ask_all(target, way, [a, b], [0, 1]), [a, b], `${name}, under its new rule`, target);
    await freshet.settle();
  }

  // A parameter that the rule leaves out is written into the first answer, and into nobody else's.
  for (let round = 0; round < scaled(100, 20); round++) {
    const target = `/reflects/${round}?id=1`;
    const crowd = Array.from({ length: 8 }, (_, i) => (i % 4 === 3 ? null : `evil-${round}-${i}`));
    const got = await Promise.all(crowd.map((x, i) => on[i % 2][i].ask(x ? `${target}&x=${x}` : target)));
    const later = await Promise.all([on[0][0].ask(target), on[1][1].ask(`${target}&x=evil-${round}-late`)]);
    [...crowd, null, `evil-${round}-late`].forEach((x, i) => {
      const text = [...got, ...later][i].body.toString('latin1');
      const theirs = /x=(evil[\w-]+)/.exec(text)?.[1];
      check(theirs === undefined || theirs === x, 'nobody sees what another wrote', () => `${theirs} for ${x}`);
      check(text.startsWith(`<undefined> /reflects/${round} [?id=1`) || text.startsWith('<anybody> '), 'the page', text.slice(0, 60));
    });
    await freshet.settle();
    check(/; hit/.test((await on[0][0].ask(target)).fields['cache-status']), 'and it is stored in the end');
  }

  // What is somebody's own goes to nobody else: not to who waited for the same page, and not to who comes later.
  const sessions = new Set();
  for (let round = 0; round < scaled(60, 15); round++) {
    for (const how of ['private', 'no-store', 'cookie', 'authorization']) {
      const target = `/mine/${how}/${round}`;
      const order = Array.from({ length: 10 }, (_, i) => (chance(0.5) ? null : `w${round}i${i}`));
      for (let turn = 0; turn < 2; turn++) {
        const got = await Promise.all(order.map((who, i) => on[i % 2][Math.floor(i / 2)].ask(target, !who ? {}
          : how === 'authorization' ? { Authorization: who } : { Cookie: `session=${who}` })));
        got.forEach((r, i) => {
          const whose = /^<(\w+)>/.exec(r.body.toString())?.[1];
          // A stored public page may also go to who is logged in: the origin did not say that it varies.
          check(whose === (order[i] ?? 'anybody') || (order[i] && whose === 'anybody'), `${how}: nobody gets what is another's`, () =>
            `${whose} for ${order[i]}: ${r.fields['cache-status']}`);
          const session = r.fields['x-session'];
          if (how !== 'cookie' || !session) return;
          check(!sessions.has(session), 'nobody gets the cookie made for another', () => `${session}: ${r.fields['cache-status']}`);
          sessions.add(session);
        });
      }
      await freshet.settle();
    }
  }
  check(sessions.size > 50, 'cookies were made', sessions.size);
  on.flat().forEach((c) => c.close());
});
done();
