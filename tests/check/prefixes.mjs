// A file's name is the prefix of what it exports, so that a name says where to look. date.h may say date_, dates_, and
// date128 where a number is part of the name.
import path from 'node:path';
import { bare, done, files, finding, lineOf, read, table } from './lib.mjs';

const more = new Map(table('prefixes.txt').map(([file, ...prefixes]) => [file, prefixes]));
let seen = 0;

// The text outside all braces, preprocessor lines blanked: only declarations are left.
function declarations(text) {
  let depth = 0;
  let out = '';
  const noCpp = bare(text).replace(/^[ \t]*#(?:[^\n\\]|\\[\s\S])*/gm, (m) => m.replace(/[^\n]/g, ' '));
  for (const c of noCpp) {
    if (c === '{') depth++;
    out += depth === 0 || c === '\n' ? c : ' ';
    // A function's body ends its declaration; a struct's is followed by a semicolon.
    if (c === '}' && --depth === 0) out = out.slice(0, -1) + '}';
  }
  return out;
}

for (const file of files('.h')) {
  if (!file.startsWith('src/') || file.startsWith('src/tbl/')) continue;
  const own = file.slice(4);
  const name = path.basename(file, '.h');
  const prefixes = [`${name}_`, ...(more.get(own) ?? [])];
  const begins = new RegExp(`^(?:${name}(?:s?_|\\d|$)|${prefixes.join('|')})`);
  const text = declarations(read(file));
  for (const m of text.matchAll(/[^;}]+/g)) {
    const plain = m[0].replace(/__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)/g, (a) => a.replace(/[^\n]/g, ' '));
    if (/^\s*(typedef|static|extern\s+const)\b/.test(plain)) continue;
    const f = /\b([a-z_]\w*)\s*\(/i.exec(plain);
    if (!f || !/\)\s*$/.test(plain)) continue;
    seen++;
    if (!begins.test(f[1])) {
      finding(file, lineOf(text, m.index + f.index), `${f[1]}() should begin with ${prefixes.join(' or ')}`);
    }
  }
}
done('prefixes', seen, 'exported functions');
