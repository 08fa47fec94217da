// Every rule of docs/CACHING.md, and every row of docs/RELIABILITY.md, is named by a test that runs; whatever a test names is there.
// A scenario, a stress test and one of tests/e2e name what they test in the comment at their head, a unit test in the comment above the
// function, which must stand in its program's list, a fuzz target in its first comment:
//     CACHING.md 2.3, 4.1     scenarios A1, B2 to B5     hostile h1-01 to h1-19, h3-06 (a word about it)
// Text elsewhere counts for nothing, nor does a file that no runner would take.
// The rows' last column and the page's counts are made from that: --write writes them, else they are compared. A row says "not there yet: WHY"
// there when no test names it, and may not when one does.
import path from 'node:path';
import { done, files, finding, lineOf, read, root } from './lib.mjs';
import fs from 'node:fs';

// id: "rule 2.3", "scenario A1", "hostile h1-01"; value: where it stands, and why nobody tests it yet.
const wanted = new Map();
// The same ids; value: the tests, { file, line }.
const named = new Map();

function ask(id, file, line, later) {
  if (wanted.has(id)) finding(file, line, `${id} stands twice`);
  wanted.set(id, { file, line, later });
}

const rules = 'docs/CACHING.md';
if (fs.existsSync(path.join(root, rules))) {
  const text = read(rules);
  for (const m of text.matchAll(/^\*\*(\d+\.\d+)\*\*|^### (Netlify-Vary)$|^## (7)\. /gm)) ask(`rule ${m[1] ?? m[2] ?? m[3]}`, rules, lineOf(text, m.index));
}

// A row of the page: ID, words, the last column. Its id as above.
const page = 'docs/RELIABILITY.md';
const row = /^\| ([A-Z]\d+|h\d-\d\d) \| (.+) \|(?: (.*))? \|$/;
const kind = (id) => (id[0] === 'h' ? 'hostile ' : 'scenario ') + id;
const lines = fs.existsSync(path.join(root, page)) ? read(page).split('\n') : [];
lines.forEach((line, i) => {
  const m = row.exec(line);
  if (m) ask(kind(m[1]), page, i + 1, /^not there yet: .+/.exec(m[3] ?? '')?.[0]);
  else if (/^\| (?!id \|)/.test(line)) finding(page, i + 1, 'is no row: | ID | WORDS | TESTS |');
});

// "A1, B2 to B5" as its ids.
function ids(text) {
  const one = /^(?:,| and|) ?(?:(h\d)-(\d\d)(?: to \1-(\d\d))?(?: \([^)]*\))?|([A-Z]*)(\d+)(?:\.(\d+))?(?: to \4?(?:(\d+)\.)?(\d+))?|"([^"]+)")/;
  const all = [];
  for (let m; (m = one.exec(text)); text = text.slice(m[0].length)) {
    if (m[9] !== undefined) all.push(m[9]);
    else if (m[1] !== undefined) for (let n = +m[2]; n <= +(m[3] ?? m[2]); n++) all.push(`${m[1]}-${String(n).padStart(2, '0')}`);
    else if (m[6] !== undefined) for (let n = +m[6]; n <= +(m[8] ?? m[6]); n++) all.push(`${m[5]}.${n}`);
    else for (let n = +m[5]; n <= +(m[8] ?? m[5]); n++) all.push(m[4] + n);
  }
  return all;
}

function name(file, line, comment) {
  const flat = comment.replace(/\s*\n\s*(\*|\/\/|#)?\s*/g, ' ');
  for (const m of flat.matchAll(/(CACHING\.md|scenarios?|hostile) (?=[A-Z]?\d|h\d-|"[A-Z])/g))
    for (const id of ids(flat.slice(m.index + m[0].length))) {
      const kind = m[1] === 'hostile' ? 'hostile' : m[1] === 'CACHING.md' ? 'rule' : 'scenario';
      // "CACHING.md 4" is a heading.
      if (kind === 'rule' && /^\d$/.test(id) && id !== '7') continue;
      const by = named.get(`${kind} ${id}`) ?? [];
      if (!by.some((t) => t.file === file)) named.set(`${kind} ${id}`, [...by, { file, line }]);
    }
}

// The comment at the head of a file, the first line of a varnishtest file aside.
function head(text) {
  const lines = text.split('\n');
  const from = lines[0].startsWith('varnishtest ') ? 1 : 0;
  let to = from;
  while (/^(#|\/\/)/.test(lines[to] ?? '')) to++;
  return lines.slice(from, to).join('\n');
}

const scenario = /^tests\/scenario\/[a-z0-9]+_[^/]+\/[a-z]+\d+\w*\.(vtc|mjs)$/;
const e2e = /^tests\/e2e\/[^/]+\.test\.mjs$/;
for (const file of files('.vtc', '.mjs'))
  if (e2e.test(file) || file === 'tests/faults/faults.mjs' || scenario.test(file) || (/^tests\/stress\/[^/]+\.mjs$/.test(file) && !file.endsWith('/lib.mjs')))
    name(file, 1, head(read(file)));

const programs = fs.existsSync(path.join(root, 'tests/unit/meson.build')) ? read('tests/unit/meson.build') : '';
for (const file of files('_test.c')) {
  if (!programs.includes(`'${path.basename(file, '.c')}'`)) continue;
  const text = read(file);
  for (const m of text.matchAll(/\/\*((?:(?!\*\/)[^])*)\*\/\nstatic void (\w+)\(void \*\*state\)/g))
    if (new RegExp(`\\b(T|TEST|cmocka_unit_test\\w*)\\(${m[2]}\\b`).test(text)) name(file, lineOf(text, m.index), m[1]);
}

const targets = fs.existsSync(path.join(root, 'tests/fuzz/meson.build')) ? read('tests/fuzz/meson.build') : '';
for (const file of files('.c'))
  if (/^tests\/fuzz\/\w+\.c$/.test(file) && targets.includes(`'${path.basename(file, '.c')}'`)) name(file, 1, /^\/\*(?:(?!\*\/)[^])*/.exec(read(file))?.[0] ?? '');

// How the page calls a test: a scenario by its number, others by their file.
function link(file) {
  const base = path.basename(file);
  const short = file.startsWith('tests/scenario/') ? base.split('_')[0] : base.replace(/\.\w+$/, '');
  return `[${short}](../${file})`;
}

// The page as it should be: the last column, and a count below each heading and at its head.
function made() {
  const out = [...lines];
  let all = 0, tested = 0, rows = 0, with_test = 0, at = -1;
  const close = () => {
    if (at >= 0) out[at] = `${with_test} of ${rows} rows have a test.`;
  };
  out.forEach((line, i) => {
    if (line.startsWith('## ')) {
      close();
      [rows, with_test, at] = [0, 0, i + 1];
    }
    const m = row.exec(line);
    if (!m) return;
    const by = named.get(kind(m[1])) ?? [];
    all++, rows++;
    if (by.length > 0) tested++, with_test++;
    out[i] = `| ${m[1]} | ${m[2]} | ${by.length > 0 ? by.map((t) => link(t.file)).join(' ') : m[3] ?? ''} |`;
  });
  close();
  const head = out.findIndex((l) => /^\*\*\d+ of \d+ rows/.test(l));
  if (head >= 0) out[head] = `**${tested} of ${all} rows have a test.**`;
  else if (lines.length > 0) finding(page, 1, 'has no line "**N of M rows have a test.**"');
  return out;
}

const should = made();
if (process.argv.includes('--write')) fs.writeFileSync(path.join(root, page), should.join('\n'));
else should.forEach((line, i) => line === lines[i] || finding(page, i + 1, `should be (node tests/check/coverage.mjs --write): ${line}`));

for (const [id, { file, line, later }] of wanted) {
  const by = named.get(id);
  if (!by && !later) finding(file, line, `no test names ${id}`);
  if (by && later) finding(file, line, `${id} is left for later, but ${by[0].file} tests it`);
}
for (const [id, [{ file, line }]] of named) if (!wanted.has(id)) finding(file, line, `names ${id}, which is in no list`);
done('coverage', wanted.size, 'rules and scenarios');
