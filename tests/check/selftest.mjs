// Every check can fail: each is given a tree that is right, which must pass, and trees with one fault, which must not.
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const count = { passed: 0, failed: 0, skipped: 0 };

// docs/RELIABILITY.md with these rows, [id, words, last column], and their counts.
function reliability(rows, tested = rows.filter((r) => r[2].startsWith('[')).length) {
  return `# R\n**${tested} of ${rows.length} rows have a test.**\n## A. x\n${tested} of ${rows.length} rows have a test.\n` +
    '| id | what | test |\n|---|---|---|\n' + rows.map((r) => `| ${r.join(' | ')} |\n`).join('');
}
const a001 = '[a001](../tests/scenario/a_x/a001_one.vtc)';
const rows = [['A1', 'one', a001], ['A2', 'two', a001], ['A3', 'three', 'not there yet: TLS'], ['h1-04', 'four', a001]];

const right = {
  'src/base/str.h': '/* time( in a comment is no call */\nint str_length(void);\n',
  'src/base/str.c': '#include <stdio.h>\n#include "base/str.h"\nint str_length(void)\n{\n    return FIELD_AGE + max_age;\n}\n',
  'src/http/date.h': '#include "base/str.h"\n__attribute__((const)) int date_parse(int (*fn)(int), int n);\n' +
    'static inline int helper(int n)\n{\n    return n;\n}\nstruct date {\n    int (*fn)(int);\n};\n',
  // A row of a table may be long; 110 columns of two bytes each are 110.
  'src/http/wide.c': '/* ' + 'ü'.repeat(104) + ' */\n',
  'src/front/a.c': 'const char *a = "HTTP/1.1 200 OK\\r\\n";\n',
  'src/front/long.c': 'int f(void)\n{\n    CHECK(1);\n    CHECK_DEBUG(1);\n}\n' + '/* . */\n'.repeat(90),
  'tests/check/checks.txt': '20 front/long*.c\n',
  'tests/check/protocol.txt': '# none\n',
  'src/tbl/headers.h': 'HEADER(AGE, "Age", E)\nHEADER(TE, "TE", H)\n',
  'src/tbl/reasons.h': 'REASON(AGE, "seen-in-log", "x")\nREASON(AGE, "dev", "x")\n',
  'tests/check/reasons-unseen.txt': '# none\n',
  'src/tbl/settings.h': 'SETTING(SITE, TIME, max_age, "a, b", 0, 0, SERVE, "text (with brackets), longer than other lines may be, since a row is one line")\n',
  'docs/a.md': '# A b\n[one](../README.md) [two](#a-b) [three](https://example.org/none)\n',
  'docs/ARCHITECTURE.md': 'see `str.c` and `max_age`\n| file | function | does |\n|---|---|---|\n| `base/str.c` | `str_length` | x |\n',
  'README.md': '# Read\n[docs](docs/a.md#a-b) `[not](a-link)` net/work/x ${root}/root/x\n',
  'docs/CACHING.md': '# Caching\n**1.1** One.\n**1.2** Two.\n## 7. Streams, upgrades, the rest\n',
  'docs/RELIABILITY.md': reliability(rows),
  'src/tbl/routes.h': 'ROUTE(AGE, GET, "/x", READ, OWN, "does, x")\nROUTE_LIKE(AGE, "`BAN`", NONE, NONE, "y")\n',
  'docs/ADMIN.md': '# A\n<!-- src/tbl/routes.h -->\n| request | scope | sites | does |\n|---|---|---|---|\n' +
    '| `GET /x` | `read` | its own | does, x |\n| `BAN` | none |  | y |\n<!-- end -->\n',
  'tests/scenario/a_x/a001_one.vtc': 'varnishtest "x"\n# scenarios A1 to A2; CACHING.md 1.1, 7\n# hostile h1-04 (a word)\nexpect ~ {detail="dev: x"}\n',
  'tests/scenario/a_x/a005_log.mjs': "// x\nsaid('reason=seen-in-log');\n",
  'tests/unit/meson.build': "unit_tests = ['base_str_test']\n",
  'tests/unit/base_str_test.c': '/* CACHING.md 1.2 */\nstatic void two(void **state)\n{\n    T(two);\n}\n',
  'package-lock.json': '{"resolved": "https://registry.npmjs.org/x/-/x-1.tgz"}\n',
};

// As we ship it; where there is no systemd-analyze, nothing of it can be looked at.
const ours = (file) => fs.readFileSync(path.join(here, '../..', file), 'utf8');
const unit = 'integrations/systemd/freshet.service';
right[unit] = ours(unit);
right['src/io/sandbox_calls.c'] = 'static const char allowed[] = "read write "\n#ifdef FRESHET_SANITIZED\n';
const has_systemd = spawnSync('systemd-analyze', ['--version']).status === 0;

// check, what is wrong, the files that make it wrong
const faults = [
  ...(has_systemd ? [
    ['systemd', 'a unit that lets its service do all', { [unit]: '[Service]\nExecStart=/bin/true\nSystemCallFilter=read write\n' }],
    ['systemd', 'a line that systemd does not know', { [unit]: ours(unit).replace('@privileged', '@privilege') }],
    ['systemd', 'a call that the sandbox permits and the unit does not', { 'src/io/sandbox_calls.c': 'static const char allowed[] = "read reboot "\n#ifdef FRESHET_SANITIZED\n' }],
  ] : []),
  ['routes', 'a route that is not in the page', { 'src/tbl/routes.h': 'ROUTE(AGE, GET, "/x", ADMIN, OWN, "does, x")\n' }],
  ['routes', 'a page without its table', { 'docs/ADMIN.md': '# A\n' }],
  ['includes', 'a room calls up', { 'src/base/str.c': '#include "http/date.h"\n' }],
  ['includes', 'a room without a row', { 'src/attic/old.c': '#include <stdio.h>\n' }],
  ['includes', 'an include without its room', { 'src/base/str.c': '#include "str.h"\n' }],
  ['includes', 'an include of nothing', { 'src/base/str.c': '#include "base/strings.h"\n' }],
  ['world', 'libuv outside io', { 'src/http/date.c': 'void f(uv_loop_t *l);\n' }],
  ['world', 'the time outside io', { 'src/http/date.c': 'int f(void)\n{\n    return time(0);\n}\n' }],
  ['world', 'randomness outside io', { 'src/http/date.c': 'int f(void)\n{\n    return rand();\n}\n' }],
  ['world', 'a socket outside io', { 'src/http/date.c': 'int f(void)\n{\n    return socket(1, 1, 0);\n}\n' }],
  ['protocol', 'a status line outside front', { 'src/cache/a.c': 'const char *a = "HTTP/1.1 200 OK";\n' }],
  ['protocol', 'the end of a line outside front', { 'src/cache/a.c': 'const char *a = "x: y\\r\\n";\n' }],
  ['protocol', 'an excuse that nobody needs', { 'tests/check/protocol.txt': 'http/date.c x\n' }],
  ['format', 'a source by hand', { 'src/http/date.c': 'int f( void ) { return 1; }\n' }],
  ['columns', 'a long comment', { 'src/http/date.c': '/* ' + 'x'.repeat(105) + ' */\n' }],
  ['columns', 'a long comment of a test', { 'tests/unit/a.c': '// ' + 'x'.repeat(108) + '\n' }],
  ['columns', 'a long comment of a table', { 'src/tbl/steps.h': '/* ' + 'x'.repeat(105) + ' */\n' }],
  ['prefixes', 'a strange prefix', { 'src/http/date.h': 'int parse_date(void);\n' }],
  ['prefixes', 'a strange prefix behind a struct', { 'src/http/date.h': 'struct a {\n    int b;\n};\nint parse_date(int n);\n' }],
  ['rows', 'a field that nobody names', { 'src/tbl/headers.h': 'HEADER(AGE, "Age", E)\nHEADER(VIA, "Via", E)\n' }],
  ['rows', 'a setting that nobody reads', { 'src/tbl/settings.h': 'SETTING(SITE, TIME, min_age, "0", 0, 0, SERVE, "x")\n' }],
  ['rows', 'a row of an unknown list', { 'src/tbl/steps.h': 'STEP(NOWHERE, "x")\n' }],
  ['reasons', 'a reason that no test sees', { 'src/tbl/reasons.h': 'REASON(AGE, "seen-in-log", "x")\nREASON(AGE, "seen-in", "x")\n' }],
  ['reasons', 'a reason in a comment', { 'tests/scenario/a_x/a005_log.mjs': "  // said('reason=seen-in-log');\n" }],
  ['reasons', 'a reason that is seen and said not to be', { 'tests/check/reasons-unseen.txt': 'dev x\n' }],
  ['reasons', 'a reason of nothing', { 'tests/check/reasons-unseen.txt': 'none x\n' }],
  ['checks', 'too few', { 'src/front/long.c': 'void f(void)\n{\n    g(); /* CHECK( */\n}\n'.repeat(13) + 'void f(void)\n{\n    CHECK(1);\n}\n' }],
  ['checks', 'a row of nothing', { 'tests/check/checks.txt': '20 front/long*.c\n20 front/short.c\n' }],
  ['functions', 'half of them long', { 'src/http/date.c': ('int f(void)\n{\n' + '    g();\n'.repeat(10) + '}\n').repeat(3) }],
  ['functions', 'a tenth of them longer', { 'src/http/date.c': 'int f(void)\n{\n' + '    g();\n'.repeat(22) + '}\n' }],
  ['functions', 'a function without end', { 'src/http/date.c': 'int f(void)\n{\n' + '    g();\n'.repeat(151) + '}\n' }],
  ['hygiene', 'a folder of a machine', { 'docs/a.md': 'see /' + 'home/me/x\n' }],
  ['hygiene', 'a scratch folder', { 'docs/a.md': 'see /tmp' + '/b-x\n' }],
  ['hygiene', 'a mirror', { 'README.md': 'npm --registry=http://' + 'mirror.example.net/x\n' }],
  ['hygiene', 'a locked package from elsewhere', { 'package-lock.json': '{"resolved": "http://example.net/x.tgz"}\n' }],
  ['links', 'a link to nothing', { 'docs/a.md': '[x](none.md)\n' }],
  ['links', 'a link to no heading', { 'docs/a.md': '# B\n[x](#a)\n' }],
  ['tour', 'a function that the file calls, and does not define', { 'docs/ARCHITECTURE.md': '| file | function | does |\n|---|---|---|\n| `base/str.c` | `helper_of` | x |\n',
    'src/base/str.c': 'int str_length(void)\n{\n    return helper_of(1);\n}\n' }],
  ['tour', 'a function of the last column without its file', { 'docs/ARCHITECTURE.md': '| file | function | does |\n|---|---|---|\n| `base/str.c` | `str_length` | asks `helper_of` |\n',
    'src/base/str.c': 'int str_length(void)\n{\n    return helper_of(1);\n}\n', 'src/base/help.c': 'int helper_of(int n)\n{\n    return n;\n}\n' }],
  ['tour', 'a row without a function', { 'docs/ARCHITECTURE.md': '| file | function | does |\n|---|---|---|\n| `base/str.c` | x | x |\n' }],
  ['tour', 'a row of no file', { 'docs/ARCHITECTURE.md': '| file | function | does |\n|---|---|---|\n| `base/none.c` | `str_length` | x |\n' }],
  ['tour', 'a file that is not there', { 'docs/ARCHITECTURE.md': 'see `none.h`\n' }],
  ['tour', 'a name that is not there', { 'docs/ARCHITECTURE.md': 'see `str_none`\n' }],
  ['coverage', 'a rule that no test names', { 'docs/CACHING.md': '**1.1** One.\n**1.2** Two.\n**1.3** Three.\n## 7. Rest\n' }],
  ['coverage', 'a scenario that no test names', { 'docs/RELIABILITY.md': reliability([...rows, ['A4', 'five', '']]) }],
  ['coverage', 'a row that names a test which is not there', { 'docs/RELIABILITY.md': reliability([['A1', 'one', a001 + ' [a002](../tests/scenario/a_x/a002_two.vtc)'], ...rows.slice(1)]) }],
  ['coverage', 'a row without one of its tests', { 'tests/scenario/a_x/a001_two.vtc': 'varnishtest "x"\n# scenarios A1\n' }],
  ['coverage', 'a row twice', { 'docs/RELIABILITY.md': reliability([...rows, rows[0]]) }],
  ['coverage', 'a row that is none', { 'docs/RELIABILITY.md': reliability([...rows, ['A-1', 'five', 'x']], 3).replaceAll('3 of 5', '3 of 4') }],
  ['coverage', 'a count of rows that is wrong', { 'docs/RELIABILITY.md': reliability(rows, 4) }],
  ['coverage', 'no count', { 'docs/RELIABILITY.md': reliability(rows).replace('**', '') }],
  ['coverage', 'a name of nothing', { 'tests/scenario/a_x/a002_two.vtc': 'varnishtest "x"\n# scenarios A9\n' }],
  ['coverage', 'a name in a file that does not run', { 'tests/unit/meson.build': "unit_tests = ['base_buf_test']\n" }],
  ['coverage', 'a name at a function that is not called', { 'tests/unit/base_str_test.c': '/* CACHING.md 1.2 */\nstatic void two(void **state)\n{\n}\n' }],
  ['coverage', 'a name beside the head', { 'tests/scenario/a_x/a001_one.vtc': 'varnishtest "x"\n# scenarios A1 to A2; CACHING.md 1.1, 7\n\n# hostile h1-04\n' }],
  ['coverage', 'left for later, though tested', { 'tests/scenario/a_x/a003_three.vtc': 'varnishtest "x"\n# scenarios A3\n' }],
  ...['includes', 'world', 'protocol', 'format', 'columns', 'prefixes', 'rows', 'reasons', 'functions', 'checks', 'hygiene', 'links', 'tour', 'coverage'].map((c) => [c, 'an empty tree', null]),
];

function run(check, tree) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'check-'));
  for (const [file, text] of Object.entries(tree)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [path.join(here, check + '.mjs'), '--root', root], (error, stdout, stderr) => {
      fs.rmSync(root, { recursive: true });
      resolve({ status: error ? error.code : 0, stdout, stderr });
    });
  });
}

function expect(check, what, r, status) {
  if (r.status === 77) {
    count.skipped++;
  } else if (r.status === status && /^check /m.test(r.stdout)) {
    count.passed++;
  } else {
    count.failed++;
    console.log(`selftest: ${check}: ${what}: status ${r.status}, not ${status}\n${r.stdout}${r.stderr}`);
  }
}

const cases = [...new Set(faults.map(([c]) => c))].map((check) => [check, 'a tree that is right', right, 0]);
for (const [check, what, files] of faults) cases.push([check, what, files === null ? {} : { ...right, ...files }, 1]);
const take = async () => {
  for (let one; (one = cases.shift()); ) {
    const [check, what, tree, status] = one;
    expect(check, what, await run(check, tree), status);
  }
};
await Promise.all(Array.from({ length: os.availableParallelism() }, take));
console.log(`check selftest: ${count.failed === 0 ? 'ok' : count.failed + ' findings'}`);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed === 0 ? 0 : 1);
