// Every reason of src/tbl/reasons.h is seen from outside by a test that runs: in Cache-Status (`detail=ID`), in the access log
// (`reason=ID`), or in the JSON of the admin site ("reason": "ID"). Those that nobody outside can see are in reasons-unseen.txt.
// Comments count for nothing.
import { done, files, finding, lineOf, read, table } from './lib.mjs';

const list = 'src/tbl/reasons.h';
const unseen = new Set(table('reasons-unseen.txt').map(([id]) => id));
const bare = (file, text) => (file.endsWith('.vtc') ? text.replace(/^\s*#.*$/gm, '') : text.replace(/^\s*(\/\/.*|\/?\*.*)$/gm, ''));
const seen = new Set();

for (const file of files('.vtc', '.mjs', '_test.c')) {
  const unit = file.startsWith('tests/unit/');
  if (!unit && !/^tests\/(scenario\/[a-z0-9]+_[^/]+\/[a-z]+\d+\w*\.(vtc|mjs)|stress\/[^/]+\.mjs)$/.test(file)) continue;
  const text = bare(file, read(file));
  // A unit test of Cache-Status shows that a reason is written, not that anything leads to it.
  const forms = unit ? /reason"\)?[:,] "([a-z-]+)"/g : /(?:detail=\\*"?|\breason=|reason": ?")([a-z-]+)/g;
  for (const m of text.matchAll(forms)) seen.add(m[1]);
}

const known = new Set();
for (const file of files('src/tbl/reasons.h')) {
  const text = read(file);
  for (const m of text.matchAll(/^REASON\(\s*\w+,\s*"([a-z-]+)"/gm)) {
    known.add(m[1]);
    if (!seen.has(m[1]) && !unseen.has(m[1])) finding(list, lineOf(text, m.index), `no test sees the reason ${m[1]}`);
    if (seen.has(m[1]) && unseen.has(m[1])) finding('tests/check/reasons-unseen.txt', 1, `${m[1]} is seen by a test`);
  }
}
for (const id of unseen) if (!known.has(id)) finding('tests/check/reasons-unseen.txt', 1, `${id} is no reason`);
done('reasons', known.size, 'reasons');
