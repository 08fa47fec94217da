// docs/ORIGINS.md as it stands there: two origins, the list, one is drained; and the configuration with checks and a backup.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blocks, guide } from './lib/guide.mjs';
import { Shell } from './lib/shell.mjs';

const text = guide('ORIGINS.md');
const section = (title) => text.slice(text.indexOf(`## ${title}`), `${text}\n## `.indexOf('\n## ', text.indexOf(`## ${title}`)));
let shell, sites;

before(async () => {
  shell = await Shell.open(3001, 3002, 3003);
  sites = [];
  for (const port of [3001, 3002]) {
    const site = createServer((request, response) => response.end(`from ${port}\n`));
    await new Promise((resolve) => site.listen(shell.ports[port], '127.0.0.1', resolve));
    sites.push(site);
  }
});
after(() => {
  for (const site of sites) site.close();
  shell.close();
});

test('several origins, one is drained', async () => {
  const [run] = blocks(section('Several origins'), 'sh');
  const [drain] = blocks(section('Draining one'), 'sh');
  const { out } = await shell.run(`${run}${drain}wait $cache\n`);
  const [one, two] = [3001, 3002].map((port) => `http://127\\.0\\.0\\.1:${shell.ports[port]}`);
  assert.match(out, new RegExp(`^default:\n  ${one}: well; 0 outstanding, .*\n  ${two}: well; 0 outstanding, `, 'm'));
  assert.match(out, new RegExp(`^${one} is drained: it gets nothing new, and has nothing to do$`, 'm'));
  assert.match(out, new RegExp(`^  ${one}: drained; `, 'm'));
  assert.match(out, new RegExp(`^${one} is no more drained$`, 'm'));
});

test('the configuration', async () => {
  const [yaml] = blocks(section('Several origins'), 'yaml');
  writeFileSync(join(shell.folder, 'freshet.yaml'), shell.here(yaml) + `listen: 127.0.0.1:${shell.ports[8080]}\nadmin: 127.0.0.1:${shell.ports[8081]}\n`);
  const { out } = await shell.run('freshet check freshet.yaml\n');
  assert.match(out, /^freshet\.yaml: good, 1 site$/m);
});
