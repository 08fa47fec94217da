// The guided tour names what is there: a walk's rows (| `file` | `function` | does |) name a function that the file
// defines; other files and functions that the page names exist.
import { bare, done, files, finding, read } from './lib.mjs';

const page = 'docs/ARCHITECTURE.md';
const sources = files('.c', '.h').filter((f) => f.startsWith('src/'));
const known = new Map();
const text_of = (file) => {
  if (!known.has(file)) known.set(file, bare(read(file)));
  return known.get(file);
};
const all_words = new Set(sources.flatMap((f) => [...read(f).matchAll(/\w+/g)].map((m) => m[0])));
const all_files = files();

// A definition begins a line and has a body: "static int f(int a)\n{".
const defines = (file, name) => new RegExp(`^(?!return\\b|else\\b)[a-z_][^;{}()=]*\\b${name}\\([^;{}]*\\)\\s*\\{`, 'm').test(text_of(file));

let seen = 0;
let in_walk = false;
if (all_files.includes(page)) read(page).split('\n').forEach((line, i) => {
  const say = (text) => finding(page, i + 1, text);
  const cells = line.split('|').map((c) => c.trim());
  if (line.startsWith('|') && cells[1] === 'file' && cells[2] === 'function') in_walk = true;
  else if (!line.startsWith('|')) in_walk = false;
  else if (in_walk && cells[1] !== '---') {
    seen++;
    const file = `src/${cells[1].replaceAll('`', '')}`;
    if (!sources.includes(file)) return say(`there is no ${file}`);
    const names = [...cells[2].matchAll(/`(\w+)`/g)].map((m) => m[1]);
    if (names.length === 0) say('the row names no function');
    for (const name of names) if (!defines(file, name)) say(`${file} does not define ${name}()`);
  }
  for (const m of line.matchAll(/`([\w/.-]+)`/g)) {
    const word = m[1];
    if (/\.(c|h|mjs)$/.test(word)) {
      seen++;
      if (!all_files.some((f) => f === word || f.endsWith(`/${word}`))) say(`there is no file ${word}`);
    } else if (/^[a-z0-9]+(_[a-z0-9]+)+$/.test(word)) {
      seen++;
      if (!all_words.has(word)) say(`nothing in src/ is named ${word}`);
    }
  }
});
done('tour', seen, 'names');
