// What the checks share: the list of files, C without its comments, and how a finding is told.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

// The tree to check: --root FOLDER, for the checks' own tests; else the repository.
export const root = (() => {
  const i = process.argv.indexOf('--root');
  return i > 0 ? path.resolve(process.argv[i + 1]) : repository;
})();

// All files of the project, relative to the root: tracked ones and new ones that are not ignored.
export function files(...endings) {
  let all;
  if (fs.existsSync(path.join(root, '.git'))) {
    all = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      { cwd: root, maxBuffer: 1 << 26 }).toString().split('\0').filter(Boolean);
  } else {
    all = fs.readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile()).map((e) => path.relative(root, path.join(e.parentPath ?? e.path, e.name)))
      .filter((f) => !/(^|\/)(node_modules|build[^/]*)\//.test(f));
  }
  const there = all.filter((f) => fs.existsSync(path.join(root, f)) && fs.lstatSync(path.join(root, f)).isFile());
  return [...new Set(there)].sort().filter((f) => endings.length === 0 || endings.some((e) => f.endsWith(e)));
}

export function read(file) {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

// A list beside the checks: words of each line; what follows a # is a comment. --root's own list wins, so that a
// check's test can bring one.
export function table(name) {
  const own = path.join(root, 'tests/check', name);
  const file = fs.existsSync(own) ? own : path.join(repository, 'tests/check', name);
  return fs.readFileSync(file, 'utf8').split('\n').map((l) => l.replace(/#.*/, '').trim()).filter(Boolean)
    .map((l) => l.split(/\s+/));
}

// C source with comments and the contents of literals blanked; line numbers stay.
export function bare(text) {
  const blank = (s) => s.replace(/[^\n]/g, ' ');
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
    (m) => (m[0] === '/' ? blank(m) : m[0] + blank(m.slice(1, -1)) + m[0]));
}

export function lineOf(text, index) {
  return text.slice(0, index).split('\n').length;
}

const findings = [];
export function finding(file, line, text) {
  findings.push(`${file}:${line}: ${text}`);
}

// Prints the findings and ends: 1 when there are any. `seen` things were checked; none is a finding too, since a check
// that looks at nothing cannot fail.
export function done(name, seen, what) {
  if (seen === 0) findings.push(`nothing to check: found no ${what}`);
  for (const f of findings) console.log(f);
  console.log(`check ${name}: ${findings.length === 0 ? 'ok' : findings.length + ' findings'} (${seen} ${what})`);
  process.exit(findings.length === 0 ? 0 : 1);
}
