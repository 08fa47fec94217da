// docs/ADMIN.md has the tables of src/tbl that say what the admin listener answers, what a token needs for it, and the limits of tokens: between
// <!-- FILE --> and <!-- end -->. --write writes them, else they are compared.
import fs from 'node:fs';
import path from 'node:path';
import { done, finding, lineOf, read, root } from './lib.mjs';

const page = 'docs/ADMIN.md';

// The columns of the rows of a list: words, and texts without their quotes.
function rows(list, names) {
  const row = new RegExp(`^(${names.join('|')})\\((.*)\\)\\s*$`, 'gm');
  return [...read(`src/tbl/${list}.h`).matchAll(row)].map((m) =>
    [m[1], ...[...m[2].matchAll(/"((?:\\.|[^"\\])*)"|[^,\s"]+/g)].map((c) => c[1] ?? c[0])]);
}

const scope = (word) => (word === 'NONE' ? 'none' : `\`${word.toLowerCase()}\``);
const sites = { OWN: 'its own', ALL: 'must be for all', NONE: '' };
const tables = {
  routes: () => ['| request | scope | sites | does |', '|---|---|---|---|',
    ...rows('routes', ['ROUTE', 'ROUTE_LIKE']).map(([kind, , ...c]) => kind === 'ROUTE'
      ? `| \`${c[0]} ${c[1]}\` | ${scope(c[2])} | ${sites[c[3]]} | ${c[4]} |`
      : `| ${c[0]} | ${scope(c[1])} | ${sites[c[2]]} | ${c[3]} |`)],
  scopes: () => ['| scope | for |', '|---|---|', ...rows('scopes', ['SCOPE']).map(([, , word, text]) => `| \`${word}\` | ${text} |`)],
  token_limits: () => ['| at most | |', '|---|---|', ...rows('token_limits', ['TOKEN_LIMIT']).map(([, , n, text]) => `| ${n} | ${text} |`)],
};

let text = fs.existsSync(path.join(root, page)) ? read(page) : '';
let seen = 0;
for (const [list, make] of Object.entries(tables)) {
  if (!fs.existsSync(path.join(root, `src/tbl/${list}.h`))) continue;
  seen++;
  const begin = `<!-- src/tbl/${list}.h -->\n`;
  const at = text.indexOf(begin);
  const end = text.indexOf('<!-- end -->', at);
  if (at < 0 || end < 0) {
    finding(page, 1, `${begin.trim()} and <!-- end --> are missing`);
    continue;
  }
  const should = make().join('\n') + '\n';
  if (text.slice(at + begin.length, end) === should) continue;
  if (process.argv.includes('--write')) text = text.slice(0, at + begin.length) + should + text.slice(end);
  else finding(page, lineOf(text, at), `is not what src/tbl/${list}.h says (node tests/check/routes.mjs --write)`);
}
if (process.argv.includes('--write')) fs.writeFileSync(path.join(root, page), text);
done('routes', seen, 'tables');
