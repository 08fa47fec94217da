// When each 304 brings other fields, the head does not grow for ever: at twice what an answer may have the page is fetched anew.
// CACHING.md 3.6
import { check, equal, reply, scenario } from '../lib.mjs';

const line_bytes = 60_000, limit_bytes = 65_536, limit_lines = 256, rounds = 20;
const kinds = {
  '/bytes': (i) => `X-${i}: ${'b'.repeat(line_bytes)}\r\n`,
  '/lines': (i) => Array.from({ length: 100 }, (_, k) => `X-${i}-${k}: 1\r\n`).join(''),
};
const seen = { '/bytes': [], '/lines': [] };
const answer = (r) => {
  const of = seen[r.target];
  of.push(r.fields['if-none-match'] === '"a"');
  const head = 'Cache-Control: public, no-cache\r\nETag: "a"\r\n';
  return of.at(-1) ? `HTTP/1.1 304 Not Modified\r\n${head}${kinds[r.target](of.length)}\r\n` : reply('page', { 'Cache-Control': 'public, no-cache', ETag: '"a"' });
};
await scenario({ answer }, async ({ ask, cases }) => {
  for (const target of Object.keys(kinds)) {
    let largest = 0, lines = 0;
    for (let i = 0; i < rounds; i++) {
      const r = await ask(target);
      equal(`${r.status} ${r.body}`, '200 page');
      largest = Math.max(largest, r.head.length);
      lines = Math.max(lines, r.head.split('\r\n').length);
    }
    const whole = seen[target].filter((conditional) => !conditional).length;
    await cases.check(`${target}: it grew, as far as it may`, () => check(largest > limit_bytes || lines > limit_lines, `${largest} bytes, ${lines} lines`));
    await cases.check(`${target}: and no further`, () => check(largest < 2 * limit_bytes + 4096 && lines < 2 * limit_lines + 10, `${largest} bytes, ${lines} lines`));
    await cases.check(`${target}: fetched anew now and then`, () => check(whole > 3 && whole < rounds, `${whole} of ${seen[target].length}`));
  }
});
