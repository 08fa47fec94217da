// No function is longer than 150 lines but those listed, with their reason, in functions-long.txt.
// `--report` (make tidy) prints the median, the 90th percentile and the longest.
import { bare, done, files, finding, read, table } from './lib.mjs';

const limit = 150;
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
  if (f.length > limit && !long.has(`${f.file} ${f.name}`)) {
    finding(f.file, f.line, `${f.name}() has ${f.length} lines; ${limit} are a lot already`);
  }
}
if (process.argv.includes('--report')) {
  all.sort((a, b) => a.length - b.length);
  const at = (part) => all[Math.min(all.length - 1, Math.floor(all.length * part))]?.length ?? 0;
  console.log(`${all.length} functions: median ${at(0.5)} lines, 90 % up to ${at(0.9)}. The longest:`);
  for (const f of all.slice(-15).reverse()) console.log(`${String(f.length).padStart(5)}  ${f.file}:${f.line} ${f.name}`);
}
done('functions', all.length, 'functions');
