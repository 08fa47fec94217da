// docs/guides/astro.md with Astro itself, of the versions that the guide installs: its files, its commands, and what they print.

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { block, blocks, guide } from '../e2e/lib/guide.mjs';
import { Shell } from '../e2e/lib/shell.mjs';
import { REPOSITORY } from '../e2e/lib/world.mjs';

const here = fileURLToPath(new URL('astro', import.meta.url));
const text = guide('guides/astro.md');

/** Astro wants a newer Node than the tests may run on. */
const newest = ['x64', 'arm64'].map((arch) => join(here, `node_modules/node-linux-${arch}/bin/node`)).find(existsSync);

/** The same words, whatever the time, and a page with its white space and scripts as one. */
const mask = (out) => out.replaceAll('\r', '').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME').replace(/ttl=\d{8}/g, 'ttl=YEAR');

test('from npm install to a purge', { timeout: 300_000 }, async () => {
  const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  for (const [, name, major] of block(text, 'sh', 'npm install').matchAll(/(\S+)@(\d+)/g)) assert.ok(dependencies[name].startsWith(`${major}.`), name);

  const shell = await Shell.open(4321);
  cpSync(join(here, 'package.json'), join(shell.folder, 'package.json'));
  cpSync(join(here, 'node_modules'), join(shell.folder, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  for (const [language, name] of [['js', 'astro.config.mjs'], ['astro', 'src/pages/books/[id].astro'], ['ts', 'src/pages/api/webhook.ts']]) {
    mkdirSync(dirname(join(shell.folder, name)), { recursive: true });
    writeFileSync(join(shell.folder, name), block(text, language, name));
  }
  cpSync(join(REPOSITORY, 'integrations/node/freshet-purge.mjs'), join(shell.folder, 'freshet-purge.mjs'));
  symlinkSync(newest ?? process.execPath, join(shell.folder, 'build/node'));

  const shown = blocks(text, '').find((code) => code.startsWith('$ curl'));
  const commands = shown.split('\n').filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
  const all = `${block(text, 'sh', 'npm run build')}\necho =====\n${commands.map((c) => `printf '%s\\n' ${JSON.stringify(`$ ${c}`).replaceAll('$', '\\$')}\n${c}`).join('\n')}\nkill $cache $site\nwait`;
  const { out } = await shell.run(all, { seconds: 250, env: { ASTRO_TELEMETRY_DISABLED: '1',
    FRESHET_ADMIN: `http://127.0.0.1:${shell.ports[8081]}` } });
  assert.equal(mask(out.split('=====\n')[1]), mask(shell.here(shown)));
  assert.ok(await shell.isQuiet());
  shell.close();
});
