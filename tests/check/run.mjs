// All checks of the sources, and for each the proof that it can fail. Last line: N passed, N failed, N skipped.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const count = { passed: 0, failed: 0, skipped: 0 };
const checks = ['includes', 'world', 'protocol', 'format', 'columns', 'prefixes', 'rows', 'reasons', 'functions', 'checks', 'hygiene', 'links', 'tour', 'routes', 'systemd', 'coverage', 'selftest'];

for (const check of checks) {
  const r = spawnSync(process.execPath, [path.join(here, check + '.mjs')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  process.stdout.write(r.stdout);
  // The self-tests are tests of their own: they count one by one.
  const own = /^(\d+) passed, (\d+) failed, (\d+) skipped$/m.exec(r.stdout);
  if (own) {
    count.passed += +own[1];
    count.failed += +own[2];
    count.skipped += +own[3];
  } else {
    count[r.status === 0 ? 'passed' : r.status === 77 ? 'skipped' : 'failed']++;
  }
}
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed === 0 ? 0 : 1);
