// `make install` into a folder: the program lands under PREFIX there, runs, and knows its version; nothing else of the machine is
// touched. The release build is there already when all tests run.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(path.join(tmpdir(), 'freshet-install-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const files = (at) => readdirSync(at, { recursive: true, withFileTypes: true }).filter((e) => !e.isDirectory())
  .map((e) => path.relative(folder, path.join(e.parentPath ?? e.path, e.name))).sort();

for (const [prefix, extra] of [['/usr', ['PREFIX=/usr']], ['/usr/local', []]]) {
  test(`make install with DESTDIR, into ${prefix}`, () => {
    const destination = path.join(folder, prefix.replaceAll('/', '-'));
    const made = spawnSync('make', ['install', `DESTDIR=${destination}`, ...extra], { cwd: root, encoding: 'utf8' });
    assert.equal(made.status, 0, made.stdout + made.stderr);
    assert.deepEqual(files(destination), [path.relative(folder, `${destination}${prefix}/bin/freshet`)]);
    const ran = spawnSync(`${destination}${prefix}/bin/freshet`, ['--version'], { encoding: 'utf8' });
    assert.match(ran.stdout, /^freshet \d+\.\d+\.\d+/);
    assert.equal(ran.status, 0);
  });
}
