// The packages of integrations/ as npm would publish them, put into an app's node_modules.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './world.mjs';

/** Packs integrations/`name` and unpacks it into the node_modules of `folder`; `contents` are its files. */
export function install(folder, name) {
  const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--offline', '--ignore-scripts', '--pack-destination', folder],
    { cwd: join(REPOSITORY, 'integrations', name), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  const to = join(folder, 'node_modules/@freshet', name);
  mkdirSync(to, { recursive: true });
  execFileSync('tar', ['-xzf', join(folder, filename.replace('@', '').replace('/', '-')), '-C', to, '--strip-components=1']);
  rmSync(join(folder, filename.replace('@', '').replace('/', '-')));
  const contents = files.map(({ path }) => path).sort();
  assert.ok(contents.includes('package.json') && contents.includes('README.md'), `${name} is packed without README.md`);
  return { folder: to, contents };
}
