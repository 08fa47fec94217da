// The guided tour names what is there: a walk's rows (| `file` | `function` | does |) name a function that the file
// defines; a function in the last column has a row of its own, or is in the row's file, or in one that the cell names;
// other files and functions that the page names exist.
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

const lines = all_files.includes(page) ? read(page).split('\n') : [];
const cells_of = (line) => line.split('|').map((c) => c.trim());
const names_in = (cell) => [...cell.matchAll(/`(\w+)`/g)].map((m) => m[1]);
// The functions that have a row in the walk to which line i belongs.
const rows_of = (i) => {
  let from = i, to = i;
  while (from > 0 && lines[from - 1].startsWith('|')) from--;
  while (to + 1 < lines.length && lines[to + 1].startsWith('|')) to++;
  return lines.slice(from, to + 1).flatMap((line) => names_in(cells_of(line)[2]));
};

let seen = 0;
let in_walk = false;
lines.forEach((line, i) => {
  const say = (text) => finding(page, i + 1, text);
  const cells = cells_of(line);
  if (line.startsWith('|') && cells[1] === 'file' && cells[2] === 'function') in_walk = true;
  else if (!line.startsWith('|')) in_walk = false;
  else if (in_walk && cells[1] !== '---') {
    seen++;
    const file = `src/${cells[1].replaceAll('`', '')}`;
    if (!sources.includes(file)) return say(`there is no ${file}`);
    const names = names_in(cells[2]);
    if (names.length === 0) say('the row names no function');
    for (const name of names) if (!defines(file, name)) say(`${file} does not define ${name}()`);
    const does = cells.slice(3).join('|');
    const places = [file, ...[...does.matchAll(/`([\w/]+\.[ch])`/g)].map((m) => `src/${m[1]}`)].filter((f) => sources.includes(f));
    for (const name of names_in(does)) {
      if (rows_of(i).includes(name) || places.some((f) => defines(f, name))) continue;
      const home = sources.find((f) => defines(f, name));
      if (home) say(`${name}() has no row, is not in ${file}, and the row does not name ${home}`);
    }
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
