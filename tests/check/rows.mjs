// Every row of a list in src/tbl is used: somebody outside the lists names it.
// Which column holds the name and how code spells it is in `spelling`; a list without a row there is taken to have its
// name in the first column and to be used with some prefix.
import path from 'node:path';
import { bare, done, files, finding, lineOf, read, table } from './lib.mjs';

const kept = new Set(table('rows-unused.txt').map(([list, row]) => `${list} ${row}`));
const spelling = {
  // Fields that are hop-by-hop, untrusted or framing are used by their class.
  headers: { name: (c) => (/^[HUF]$/.test(c[2]) ? null : c[0]), token: (n) => `FIELD_${n}` },
  settings: { name: (c) => c[2], token: (n) => n },
  rule_fields: { name: (c) => c[1], token: (n) => `RULE_${n}` },
  presets: { name: () => null }, // each row is a word of the setting preset
  profiles: { name: () => null }, // each row is applied; a wrong name does not compile
  statuses: { name: () => null }, // a registry: what is in it is right whether or not we send it
  safe_methods: { name: () => null }, // the same
  h2_codes: { name: () => null }, // the same
  hpack_huffman: { name: () => null }, // each row is of a byte
  senders: { name: () => null }, // each is a word of the setting
};
const source = files('.c', '.h').filter((f) => f.startsWith('src/') && !f.startsWith('src/tbl/'));
const words = new Set(source.flatMap((f) => bare(read(f)).match(/\w+/g) ?? []));
const bare_words = [...words];
let seen = 0;

for (const file of files('.h').filter((f) => f.startsWith('src/tbl/'))) {
  const list = path.basename(file, '.h');
  const text = read(file);
  const rule = spelling[list] ?? { name: (c) => c[0] };
  for (const m of bare(text).matchAll(/^[A-Z][A-Z0-9_]*\(\s*(.*)\)\s*$/gm)) {
    const columns = m[1].split(',').map((c) => c.trim());
    const name = rule.name(columns);
    if (name === null) continue;
    seen++;
    if (kept.has(`${list} ${name}`)) continue;
    const used = rule.token ? words.has(rule.token(name))
      : bare_words.some((w) => w === name || w.endsWith('_' + name));
    if (!used) finding(file, lineOf(text, m.index), `nobody uses the row ${name}`);
  }
}
done('rows', seen, 'rows');
