// Every rule of docs/CACHING.md, and every row of coverage.txt, is named by a test that runs; whatever a test names is there.
// A scenario and a stress test name what they test in the comment at their head, a unit test in the comment above the function,
// which must stand in its program's list:
//     CACHING.md 2.3, 4.1     scenarios A1, B2 to B5     hostile 1, S1 to S19     hostile 4 "Fat GET"
// Text elsewhere counts for nothing, nor does a file that no runner would take.
import path from 'node:path';
import { done, files, finding, lineOf, read, root } from './lib.mjs';
import fs from 'node:fs';

// id: "rule 2.3", "scenario A1", "hostile S1", "hostile Fat GET"; value: where it stands, and why nobody tests it yet.
const wanted = new Map();
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

const list = 'tests/check/coverage.txt';
if (fs.existsSync(path.join(root, list))) {
  read(list).split('\n').forEach((line, i) => {
    if (line === '' || line[0] === '#') return;
    const m = /^(scenario|hostile) ([A-Z]+\d+|"[^"]+") [^;]+?(; later: .+)?$/.exec(line);
    if (m) ask(`${m[1]} ${m[2].replaceAll('"', '')}`, list, i + 1, m[3]);
    else finding(list, i + 1, 'is no row: KIND ID WORDS[; later: WHY]');
  });
}

// "A1, B2 to B5" as its ids.
function ids(text) {
  const one = /^(?:,| and|) ?(?:([A-Z]*)(\d+)(?:\.(\d+))?(?: to \1?(?:(\d+)\.)?(\d+))?|"([^"]+)")/;
  const all = [];
  for (let m; (m = one.exec(text)); text = text.slice(m[0].length)) {
    if (m[6] !== undefined) all.push(m[6]);
    else if (m[3] !== undefined) for (let n = +m[3]; n <= +(m[5] ?? m[3]); n++) all.push(`${m[2]}.${n}`);
    else for (let n = +m[2]; n <= +(m[5] ?? m[2]); n++) all.push(m[1] + n);
  }
  return all;
}

function name(file, line, comment) {
  const flat = comment.replace(/\s*\n\s*(\*|\/\/|#)?\s*/g, ' ');
  for (const m of flat.matchAll(/(CACHING\.md|scenarios?|hostile) (?=[A-Z]?\d|"[A-Z])/g))
    for (const id of ids(flat.slice(m.index + m[0].length))) {
      const kind = m[1] === 'hostile' ? 'hostile' : m[1] === 'CACHING.md' ? 'rule' : 'scenario';
      // "hostile 4" and "CACHING.md 4" are headings.
      if (kind !== 'scenario' && /^\d$/.test(id) && id !== '7') continue;
      if (!named.has(`${kind} ${id}`)) named.set(`${kind} ${id}`, { file, line });
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

for (const file of files('.vtc', '.mjs'))
  if (/^tests\/scenario\/[a-z]+_[^/]+\/[a-z]\d+\w*\.(vtc|mjs)$/.test(file) || (/^tests\/stress\/[^/]+\.mjs$/.test(file) && !file.endsWith('/lib.mjs')))
    name(file, 1, head(read(file)));

const programs = fs.existsSync(path.join(root, 'tests/unit/meson.build')) ? read('tests/unit/meson.build') : '';
for (const file of files('_test.c')) {
  if (!programs.includes(`'${path.basename(file, '.c')}'`)) continue;
  const text = read(file);
  for (const m of text.matchAll(/\/\*((?:(?!\*\/)[^])*)\*\/\nstatic void (\w+)\(void \*\*state\)/g))
    if (new RegExp(`\\b(T|cmocka_unit_test\\w*)\\(${m[2]}\\b`).test(text)) name(file, lineOf(text, m.index), m[1]);
}

for (const [id, { file, line, later }] of wanted) {
  const by = named.get(id);
  if (!by && !later) finding(file, line, `no test names ${id}`);
  if (by && later) finding(file, line, `${id} is left for later, but ${by.file} tests it`);
}
for (const [id, { file, line }] of named) if (!wanted.has(id)) finding(file, line, `names ${id}, which is in no list`);
done('coverage', wanted.size, 'rules and scenarios');
