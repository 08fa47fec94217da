// While nobody asks, freshet does next to nothing: all its threads together are woken a few times a second.
import fs from 'node:fs';
import { check, scenario } from '../lib.mjs';

const seconds = 2, most = 10, windows = 15;
// The thread sanitizer has a thread of its own, which looks around ten times a second.
const more = process.env.FRESHET.includes('tsan') ? 15 : 0;

await scenario({ flags: ['--workers', '2'] }, async ({ ask, cases, freshet }) => {
  const folder = `/proc/${freshet.note('pid')}/task`;
  const woken = () => fs.readdirSync(folder).map((t) => {
    const status = fs.readFileSync(`${folder}/${t}/status`, 'utf8');
    return { name: /^Name:\s+(.*)/m.exec(status)[1], n: +/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1] };
  });
  const sum = (all) => all.reduce((n, t) => n + t.n, 0);
  await ask('/');
  // What the start and a page have brought about (files of the disk, most of all) comes to its end some time; what goes on and on does not.
  await cases.check(`two seconds come in which they are woken at most ${most} times a second`, async () => {
    let before, after;
    for (let i = 0; i < windows && (!after || sum(after) - sum(before) > (most + more) * seconds); i++) {
      before = woken();
      await new Promise((r) => setTimeout(r, 1000 * seconds));
      after = woken();
    }
    const by = after.map((t, i) => `${t.name} ${t.n - before[i]?.n}`).join(', ');
    check(sum(after) - sum(before) <= (most + more) * seconds, `in ${seconds} s: ${by}`);
  });
});
