// Links in the documentation lead somewhere: files exist, headings too.
import fs from 'node:fs';
import path from 'node:path';
import { done, files, finding, read, root } from './lib.mjs';

// A heading's anchor as GitHub makes it.
function anchors(text) {
  return new Set([...text.replace(/```[\s\S]*?```/g, '').matchAll(/^#+\s+(.*?)\s*#*$/gm)].map((m) => m[1].toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-')));
}

let seen = 0;
for (const file of files('.md')) {
  // Code is no prose: blank it, keep the lines.
  const text = read(file).replace(/```[\s\S]*?```|`[^`\n]*`/g, (m) => m.replace(/[^\n]/g, ' '));
  text.split('\n').forEach((line, i) => {
    for (const m of line.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
      seen++;
      if (/^[a-z]+:/i.test(m[1])) continue; // elsewhere: not ours to check
      const [target, anchor] = m[1].split('#');
      const at = target === '' ? file : path.join(path.dirname(file), decodeURIComponent(target));
      if (!fs.existsSync(path.join(root, at))) finding(file, i + 1, `there is no ${at}`);
      else if (anchor && at.endsWith('.md') && !anchors(read(at)).has(anchor)) {
        finding(file, i + 1, `${at} has no heading #${anchor}`);
      }
    }
  });
}
done('links', seen, 'links');
