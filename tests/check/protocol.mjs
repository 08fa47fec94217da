// Only a front writes the text of HTTP/1.1: a status line, a line's end. What else may hold such text stands in protocol.txt, with
// the reason. http/ has the parsers, and lines.c, which writes field lines.
import { done, files, finding, lineOf, read, table } from './lib.mjs';

const excused = new Map(table('protocol.txt').map(([file]) => [file, false]));
let seen = 0;

for (const file of files('.c', '.h')) {
  if (!file.startsWith('src/') || /^src\/(front|http|tbl)\//.test(file)) continue;
  seen++;
  // Comments away, literals stay.
  const text = read(file).replace(/\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"/g, (m) => (m[0] === '/' ? m.replace(/[^\n]/g, ' ') : m));
  for (const m of text.matchAll(/"(?:\\.|[^"\\\n])*"/g)) {
    if (!/HTTP\/1\.\d( |\\r)|\\r\\n/.test(m[0])) continue;
    if (excused.has(file.slice(4))) excused.set(file.slice(4), true);
    else finding(file, lineOf(text, m.index), `${m[0]}: only front/ writes HTTP/1.1`);
  }
}
for (const [file, used] of excused) {
  if (!used) finding('tests/check/protocol.txt', 1, `${file} holds no such text: remove its row`);
}
done('protocol', seen, 'sources');
