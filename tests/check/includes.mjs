// Rooms include only what the table in includes.txt allows: nothing calls up.
import { done, files, finding, read, root, table } from './lib.mjs';
import fs from 'node:fs';
import path from 'node:path';

const allowed = new Map(table('includes.txt').map(([room, ...others]) => [room, new Set(others)]));
let seen = 0;

for (const file of files('.c', '.h')) {
  if (!file.startsWith('src/')) continue;
  const room = file.split('/')[1];
  if (!file.slice(4).includes('/') || room === 'tbl') continue; // main; lists
  if (!allowed.has(room)) {
    finding(file, 1, `the room ${room}/ has no row in tests/check/includes.txt`);
    continue;
  }
  read(file).split('\n').forEach((line, i) => {
    const m = /^\s*#\s*include\s*([<"])([^>"]+)[>"]/.exec(line);
    if (!m) return;
    seen++;
    const target = m[2].split('/')[0];
    if (m[1] === '<') return;
    if (!m[2].includes('/')) {
      finding(file, i + 1, `write the room too: "${room}/${m[2]}"`);
    } else if (!fs.existsSync(path.join(root, 'src', m[2]))) {
      finding(file, i + 1, `there is no src/${m[2]}`);
    } else if (target !== room && target !== 'tbl' && !allowed.get(room).has(target) && !allowed.get(room).has(m[2])) {
      finding(file, i + 1, `${room}/ may not include ${m[2]}`);
    }
  });
}
done('includes', seen, '#include lines');
