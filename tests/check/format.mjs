// The layout is clang-format's, so that nobody argues about it. `--write` (make format) lays out instead of checking.
// Version 14 alone decides: others lay out differently. Lists in src/tbl are laid out by hand.
import { execFile, execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
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

// One process lays out many files: to start it takes longer than to lay out one.
function lay_out(some) {
  return new Promise((resolve) => {
    execFile('clang-format', [style, ...(write ? ['-i'] : ['--dry-run', '-Werror']), ...some], { cwd: root, maxBuffer: 1 << 28 }, (error, _, text) => {
      const wrong = new Map();
      for (const [, file, line] of text.matchAll(/^(.+?):(\d+):\d+: error/gm)) if (!wrong.has(file)) wrong.set(file, line);
      for (const [file, line] of wrong) finding(file, line, 'not laid out; `make format` does it');
      if (error && wrong.size === 0) finding(some[0], 1, `clang-format failed: ${text || error.message}`);
      resolve();
    });
  });
}
const batches = Array.from({ length: availableParallelism() }, () => []);
sources.forEach((file, i) => batches[i % batches.length].push(file));
await Promise.all(batches.filter((some) => some.length > 0).map(lay_out));
done('format', sources.length, 'sources');
