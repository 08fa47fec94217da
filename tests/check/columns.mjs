// Lines of C have at most 110 columns; clang-format wraps code, but not comments. A row of a table in src/tbl is one
// line, however long.
import { done, files, finding, read } from './lib.mjs';

const limit = 110;
const sources = files('.c', '.h').filter((f) => /^(src|tests)\//.test(f));

for (const file of sources) {
  const isTable = file.startsWith('src/tbl/');
  read(file).split('\n').forEach((line, i) => {
    if (isTable && /^[A-Z_]+\(/.test(line)) return;
    // Characters, not bytes and not halves of a surrogate pair.
    const columns = [...line].length;
    if (columns > limit) finding(file, i + 1, `${columns} columns, at most ${limit}`);
  });
}
done('columns', sources.length, 'sources');
