// A store of a million pages (million.c, which says what must hold). Its program lies beside the freshet under test.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const program = path.resolve(path.dirname(process.env.FRESHET), '../tests/stress/million');
const pages = +(process.env.STRESS_SCALE ?? 1) < 1 ? 100_000 : 1_000_000; // the thread sanitizer takes 20 times as long for a page
const began = Date.now();
const r = spawnSync(program, [String(pages)], { encoding: 'utf8' });
const text = `${r.stdout}${r.stderr}`, count = (mark) => text.split(mark).length - 1;
const passed = count('[       OK ]'), failed = count('[  FAILED  ] ') || +(r.status !== 0 || passed === 0);
if (failed) console.log(r.error ? `${program}: ${r.error.message}; build it with: make dev` : text);
console.log(`${/\d+ pages of .*/.exec(text)?.[0] ?? 'no figure'}, in ${((Date.now() - began) / 1000).toFixed(1)} s`);
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
