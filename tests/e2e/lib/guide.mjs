// What stands in a guide: its blocks of code, and what a test changes in them.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './world.mjs';

/** The text of docs/`name`. */
export const guide = (name) => readFileSync(join(REPOSITORY, 'docs', name), 'utf8');

/** All blocks of `language` in `text`, in order. */
export const blocks = (text, language) =>
  [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].filter((match) => match[1] === language).map((match) => match[2]);

/** The one block of `language` that contains `mark`. */
export function block(text, language, mark = '') {
  const found = blocks(text, language).filter((code) => code.includes(mark));
  assert.equal(found.length, 1, `the guide has ${found.length} blocks of ${language} with "${mark}"`);
  return found[0];
}

/** `text` with each [from, to] replaced; what is to be replaced must be there. */
export const change = (text, ...pairs) =>
  pairs.reduce((all, [from, to]) => {
    assert.ok(all.includes(from), `the guide says "${from}" no more`);
    return all.replaceAll(from, to);
  }, text);
