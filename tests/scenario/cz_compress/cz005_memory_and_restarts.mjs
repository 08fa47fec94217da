// Codings make room before their pages do, and are made again when they are wanted; after a restart too, of what is on disk. All of it stays
// within the budget.
// CACHING.md 6.10
import { brotliDecompressSync } from 'node:zlib';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

// About 20 KB, of which br makes some 8.
const page = (target) => {
  let x = 1 + [...target].reduce((a, c) => (a * 31 + c.charCodeAt(0)) % 1e6, 0), text = `${target}: `;
  while (text.length < 20000) text += `${((x = (x * 1103515245 + 12345) % 2 ** 31) >> 12).toString(16)} and more; `;
  return text;
};
const answer = (r) => reply(page(r.target), { 'Content-Type': 'text/html', 'Cache-Control': 'max-age=6000' });
const br = { 'Accept-Encoding': 'br' };
const is = (r, target) => equal((r.fields['content-encoding'] === 'br' ? brotliDecompressSync(Buffer.from(r.body, 'latin1')).toString('latin1') : r.body), page(target));

await scenario({ answer, flags: ['--memory', '2M', '--disk', '16M'] }, async ({ ask, cases, freshet, origin }) => {
  const figures = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text);
  const n = 120;
  for (let i = 0; i < n; i++) {
    await ask(`/${i}`, br);
    await freshet.until('coding_now', '==', 0);
  }
  await soon(async () => (await figures()).disk.responses >= n);
  const s = await figures();
  await cases.check('some codings went', () => check(s.codings.made >= n && s.codings.stored < n, JSON.stringify(s.codings)));
  await cases.check('within the budget', () => check(s.memory.used_bytes <= 2 << 20, JSON.stringify(s.memory)));
  // What is being written is for a moment.
  await cases.check('nothing of it counts as pinned', () => soon(async () => (await figures()).memory.pinned_bytes < 100e3));
  const { text } = await freshet.api('GET', '/metrics');
  const dropped = +/^freshet_codings_dropped_total (\d+)/m.exec(text)[1], evicted = +/^freshet_evicted_total (\d+)/m.exec(text)[1];
  await cases.check('they went before their pages', () => check(dropped >= evicted && dropped > 10, `${dropped} ${evicted}`));
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < n; i += 7) await cases.check(`page ${i}`, async () => is(await ask(`/${i}`, br), `/${i}`));
  await cases.check('no page was rendered twice', () => equal(origin.requests.length, n));

  await freshet.restart(['--origin', origin.url, '--memory', '2M', '--disk', '16M']);
  await cases.check('after a restart', async () => {
    const target = `/${n - 1}`;
    is(await ask(target, br), target);
    await freshet.until('coding_now', '==', 0);
    const r = await ask(target, br);
    is(r, target);
    equal(r.fields['content-encoding'], 'br');
    check(/; hit/.test(r.fields['cache-status']), r.head);
    equal(origin.requests.length, n);
  });
});
