// No request costs much more than a plain one of as many bytes: what can be said in a head many times (ranges, tags of a condition, codings,
// languages, cookies, parameters, dot segments, hops) takes time in proportion, not with its square, on a page that varies on all of it.
// scenarios U11, U12
import fs from 'node:fs';
import { check, reply, scenario } from '../lib.mjs';

const vary = 'query=a|b, header=Accept-Language|X-V, language=en|de|fr, cookie=c|d';
const answer = (r) => reply('x'.repeat(3000), { 'Cache-Control': 'max-age=6000', ETag: '"e"', 'Netlify-Vary': vary, 'Content-Type': 'text/html' });
const size = 7000;
const fill = (word) => word.repeat(Math.floor(size / word.length));
const each = (word, most = Infinity) => {
  let s = '';
  for (let i = 0; s.length < size && i < most; i++) s += word(i);
  return s;
};
const field = (name, value) => [`/page`, `${name}: ${value}\r\n`];
const kinds = {
  'ranges': field('Range', 'bytes=' + fill('0-0,') + '1-1'),
  'ranges that overlap': field('Range', 'bytes=' + each((i) => `${i}-,`) + '-1'),
  'tags of If-None-Match': field('If-None-Match', each((i) => `"${i}", `) + '"z"'),
  'tags of If-Match': field('If-Match', each((i) => `"${i}", `) + '"z"'),
  'Accept-Encoding': field('Accept-Encoding', each((i) => `x${i};q=0.${i % 10}, `) + 'gzip'),
  'Accept-Language': field('Accept-Language', each((i) => `x${i}-y;q=0.${i % 10}, `) + 'en'),
  'Accept': field('Accept', each((i) => `a/x${i};q=0.${i % 10}, `) + '*/*'),
  'Cache-Control': field('Cache-Control', each((i) => `x${i}=${i}, `) + 'x'),
  'Connection': field('Connection', each((i) => `x${i}, `, 60) + 'x'),
  'Via': field('Via', each((i) => `1.1 x${i}, `) + '1.1 x'),
  'CDN-Loop': field('CDN-Loop', each((i) => `x${i}, `) + 'x'),
  'X-Forwarded-For': field('X-Forwarded-For', each((i) => `10.0.${i % 255}.1, `) + '10.0.0.1'),
  'Forwarded': field('Forwarded', each((i) => `for=10.0.${i % 255}.1, `) + 'for=x'),
  'cookies': field('Cookie', each((i) => `x${i}=${i}; `) + 'c=1'),
  'cookies of one name': field('Cookie', fill('c=1; ') + 'c=1'),
  'commas': field('Accept', fill(',')),
  'semicolons': field('Cookie', fill(';')),
  'quotes': field('If-None-Match', fill('"\\')),
  'backslashes': field('Cache-Control', 'a="' + fill('\\\\')),
  'parameters': ['/page?' + each((i) => `x${i}=${i}&`), ''],
  'parameters of one name': ['/page?' + fill('a=1&'), ''],
  'parameters without names': ['/page?' + fill('&'), ''],
  'parameters to sort': ['/page?' + each((i) => `a=${(size - i).toString(36)}&`), ''],
  'encoded parameters': ['/page?a=' + fill('%41'), ''],
  'dot segments': ['/' + './'.repeat(64) + 'page', ''],
  'dot segments that go up': ['/' + 'a/../'.repeat(64) + 'page', ''],
  'slashes': [fill('/') + 'page', ''],
  'encoded path': ['/' + fill('%61'), ''],
  'many fields': ['/page', each((i) => `X${i}: ${'y'.repeat(80)}\r\n`)],
  'many fields of one name': ['/page', each(() => `X-V: ${'y'.repeat(80)}\r\n`)],
  'many lines of cookies': ['/page', each((i) => `Cookie: x${i}=${'y'.repeat(70)}\r\n`)],
};
await scenario({ answer, flags: ['--header-count', '1000'] }, async ({ connect, ask, cases, freshet }) => {
  await ask('/page');
  const pid = freshet.note('pid');
  // Time on a processor, of all threads, in ns.
  const spent = () => fs.readdirSync(`/proc/${pid}/task`).reduce((sum, t) => sum + +fs.readFileSync(`/proc/${pid}/task/${t}/schedstat`, 'utf8').split(' ')[0], 0);
  const batch = 10;
  const cost = async ([target, lines]) => {
    const text = `GET ${target} HTTP/1.1\r\nHost: test\r\n${lines}\r\n`.repeat(batch);
    let least = Infinity;
    const c = connect();
    for (let i = 0; i < 4; i++) {
      c.text = '';
      const before = spent();
      await c.send(text);
      await c.answers(batch);
      least = Math.min(least, spent() - before);
    }
    c.close();
    return least / batch;
  };
  // The plain one: as many bytes, a hit, and one that goes to the origin, since some of these have to.
  const plain = await cost(['/page', `X-Plain: ${fill('y')}\r\n`]);
  const passed = Math.max(plain, await cost(['/page?a=' + fill('y'), '']));
  for (const [name, kind] of Object.entries(kinds))
    await cases.check(name, async () => {
      const took = await cost(kind);
      if (process.env.SCENARIO_FIGURES) console.log(`${(took / plain).toFixed(1)} plain, ${(took / passed).toFixed(1)} passed: ${name}`);
      check(took < 10 * passed, `${(took / 1000).toFixed(0)} us, a plain one ${(plain / 1000).toFixed(0)}, one that passes ${(passed / 1000).toFixed(0)}`);
    });
});
