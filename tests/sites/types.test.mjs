// The types of integrations/ with those of the frameworks: types/uses.ts compiles, and each of its misuses does not.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { App, NEWEST } from '../e2e/lib/app.mjs';

const app = new App('types', { packages: ['client', 'astro', 'next', 'server', 'sveltekit', 'nuxt'] });
const FROM = { '../e2e': ['express', 'fastify', 'hono'], astro: ['astro'], next: ['next', 'react', 'react-dom'], svelte: ['@sveltejs/kit', 'svelte', 'vite'], nuxt: ['nuxt', '@nuxt/schema'], nitro: ['nitro'] };

after(() => app.stop());

test('the types fit', () => {
  for (const [folder, names] of Object.entries(FROM))
    for (const name of names) {
      const link = join(app.root, 'node_modules', name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(fileURLToPath(new URL(`${folder}/node_modules/${name}`, import.meta.url)), link);
    }
  const tsc = (...args) => spawnSync(NEWEST, [join(app.root, 'node_modules/typescript/bin/tsc'), '-p', '.', ...args], { cwd: app.root, encoding: 'utf8' });
  const found = tsc();
  assert.equal(found.status, 0, found.stdout + found.stderr);
  // Others' declarations have faults of their own.
  const own = tsc('--skipLibCheck', 'false').stdout.split('\n').filter((line) => line.includes('@freshet'));
  assert.deepEqual(own, []);
});
