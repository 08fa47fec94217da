// Functions are short: half of them, nine tenths, and each have at most so many lines. One that is longer than the longest may
// be is listed, with its reason, in functions-long.txt. `--report` (make tidy) prints what they have.
import { bare, done, files, finding, read, table } from './lib.mjs';

const most = { median: 9, tenths: 21, longest: 75 };
const long = new Set(table('functions-long.txt').map(([file, name]) => `${file} ${name}`));
const all = [];

for (const file of files('.c', '.h')) {
  if (!file.startsWith('src/')) continue;
  const lines = bare(read(file)).split('\n');
  for (let i = 0; i < lines.length; i++) {
    // Our layout: a function's braces stand alone at the margin.
    if (lines[i] !== '{') continue;
    let end = i + 1;
    while (end < lines.length && lines[end] !== '}') end++;
    let first = i - 1;
    while (first > 0 && /^[\s)]/.test(lines[first])) first--;
    const name = /(\w+)\s*\(/.exec(lines.slice(first, i).join(' ').replace(/__attribute__\s*\(\(.*?\)\)/, ''))?.[1] ?? '?';
    all.push({ file, name, line: first + 1, length: end - i - 1 });
    i = end;
  }
}
for (const f of all) {
  if (f.length > most.longest && !long.has(`${f.file} ${f.name}`)) {
    finding(f.file, f.line, `${f.name}() has ${f.length} lines; ${most.longest} are a lot already`);
  }
}
all.sort((a, b) => a.length - b.length);
const at = (part) => all[Math.min(all.length - 1, Math.floor(all.length * part))]?.length ?? 0;
if (at(0.5) > most.median) finding('src', 1, `half of the functions have up to ${at(0.5)} lines; at most ${most.median}`);
if (at(0.9) > most.tenths) finding('src', 1, `nine tenths of the functions have up to ${at(0.9)} lines; at most ${most.tenths}`);
if (process.argv.includes('--report')) {
  console.log(`${all.length} functions: median ${at(0.5)} lines, 90 % up to ${at(0.9)}. The longest:`);
  for (const f of all.slice(-15).reverse()) console.log(`${String(f.length).padStart(5)}  ${f.file}:${f.line} ${f.name}`);
}
done('functions', all.length, 'functions');
