import { readFileSync } from 'node:fs';

export const find = async (slug) => ({ slug, author: 'ann', words: readFileSync(process.env.WORDS, 'utf8'), made: String(process.hrtime.bigint()) });
