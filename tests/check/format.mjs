// The layout is clang-format's, so that nobody argues about it. `--write` (make format) lays out instead of checking.
// Version 14 alone decides: others lay out differently. Lists in src/tbl are laid out by hand.
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { done, files, finding, repository, root } from './lib.mjs';

const version = /version (\d+)/.exec(execFileSync('clang-format', ['--version']).toString())?.[1];
if (version !== '14') {
  console.log(`check format: skipped: clang-format is ${version}, the layout is that of 14`);
  process.exit(77);
}
const sources = files('.c', '.h').filter((f) => /^(src|tests|tools)\//.test(f) && !f.startsWith('src/tbl/'));
const style = `--style=file:${path.join(repository, '.clang-format')}`;
const write = process.argv.includes('--write');
for (const file of sources) {
  const r = spawnSync('clang-format', [style, ...(write ? ['-i'] : ['--dry-run', '-Werror']), file], { cwd: root });
  if (r.status === 0) continue;
  const first = /:(\d+):\d+: error/.exec(r.stderr.toString());
  finding(file, first ? first[1] : 1, 'not laid out; `make format` does it');
}
done('format', sources.length, 'sources');
