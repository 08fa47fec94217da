// What freshet finds of a build when it follows the links of a page and of the scripts and styles that these name: by its own scan, which
// tools/links.c prints, and from the app itself.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ask } from './front.mjs';

const LINKS = process.env.LINKS ?? fileURLToPath(new URL('../../../build/tools/links', import.meta.url));

function linksOf(authority, path, text) {
  assert.ok(existsSync(LINKS), `${LINKS} is missing: ninja -C build tools/links`);
  const { status, stdout, stderr } = spawnSync(LINKS, [authority, path], { input: text, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter(Boolean);
}

/** `files`: scripts and styles of the build's `folder`, as paths below `prefix`; `found`: those reached from `page`; `nowhere`: links that
 * the app has nothing for. */
export async function reach(port, folder, prefix, page = '/') {
  const files = readdirSync(folder, { recursive: true }).filter((name) => /\.(js|mjs|css)$/.test(name)).map((name) => prefix + name);
  assert.ok(files.length > 0, `${folder} has no script`);
  const found = [], nowhere = [], seen = new Set([page]);
  for (const link of seen) {
    const { status, text, headers } = await ask(port, link);
    const path = decodeURI(link.split('?')[0]);
    if (status !== 200) nowhere.push(link);
    else if (files.includes(path)) found.push(path);
    if (status !== 200 || !/html|javascript|css/.test(headers['content-type'])) continue;
    for (const next of linksOf(`127.0.0.1:${port}`, link.split('?')[0], text)) seen.add(next);
  }
  return { files, found: [...new Set(found)], nowhere };
}
