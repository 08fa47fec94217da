// One worker, many hosts in any order and spelling, over one connection and many: each gets its own page, and the spellings of one host share
// it. The worker remembers the latest Host field that it took apart.
// CACHING.md 4.1
import { equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`page of ${r.fields.host}${r.target}`, { 'Cache-Control': 's-maxage=60' });
await scenario({ answer, flags: ['--workers', '1'] }, async ({ ask, cases }) => {
  const hosts = {
    'a.test': ['a.test', 'A.test', 'a.test.', 'a.test:80', 'a.test:', 'A.TEST.:80'],
    'a.test:81': ['a.test:81', 'A.TEST:81', 'a.test.:081'],
    'ab.test': ['ab.test'],
    'a.tes': ['a.tes'],
    '[::1]': ['[::1]', '[0:0:0:0:0:0:0:1]', '[::1]:80'],
    [`${'x'.repeat(60)}.test`]: [`${'x'.repeat(60)}.test`],
    '127.0.0.1:8080': ['127.0.0.1:8080'],
  };
  const all = Object.entries(hosts).flatMap(([host, spellings]) => spellings.map((s) => [host, s]));
  const first = new Map();
  await cases.check('in order and in each other\'s way', async () => {
    for (let round = 0; round < 3; round++)
      for (const [i] of all.entries())
        for (const [host, spelling] of [all[i], all[(i * 7 + round) % all.length], all[i]]) {
          const r = await ask('/p', { Host: spelling });
          equal(r.status, 200, spelling);
          if (!first.has(host)) first.set(host, r.body);
          equal(r.body, first.get(host), `${spelling} after others`);
        }
    equal(new Set(first.values()).size, Object.keys(hosts).length, 'pages');
  });
  await cases.check('what is wrong stays wrong', async () => {
    for (const bad of ['a.test:0', 'a.test:65536', 'a..test', 'a.test:81x', 'a test']) {
      await ask('/p', { Host: 'a.test' });
      equal((await ask('/p', { Host: bad })).status, 400, bad);
    }
  });
});
