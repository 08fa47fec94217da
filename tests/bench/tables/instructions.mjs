// Instructions a hit, counted by callgrind: see ../instructions.mjs.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { freshetProgram } from '../lib/peers.mjs';
import { number, table } from '../lib/text.mjs';

export const name = 'instructions';
export const title = 'Instructions a hit';

export async function run({ say }) {
  const out = execFileSync(process.execPath, [fileURLToPath(new URL('../instructions.mjs', import.meta.url)), '--json', '--freshet', freshetProgram], { encoding: 'utf8' });
  const cases = JSON.parse(out);
  say(cases.map((c) => `${c.title} ${c.hit}`).join(', '));
  return { cases };
}

export function render({ cases }) {
  return `What freshet itself executes for one hit, miss or pass, in user mode, counted by callgrind: the kernel's part is not in it, noise neither.\n\n` +
    table(['', 'instructions'], cases.map((c) => [c.title, number(c.hit, 0)]));
}
