// docs/TLS.md as it stands there: a local authority that curl believes, certificates from files, the way of everybody to https,
// an origin with TLS.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { blocks, guide } from './lib/guide.mjs';
import { Shell } from './lib/shell.mjs';

const text = guide('TLS.md');
const section = (title) => text.slice(text.indexOf(`## ${title}`), `${text}\n## `.indexOf('\n## ', text.indexOf(`## ${title}`)));
const stop = '\nkill $cache\nwait $cache\n';
let shell, site;

before(async () => {
  shell = await Shell.open(4321, 4322, 8443);
  site = createServer((request, response) => response.end('page'));
  await new Promise((resolve) => site.listen(shell.ports[4321], '127.0.0.1', resolve));
});
after(() => {
  site.close();
  shell.close();
});

const write = (title) => writeFileSync(join(shell.folder, 'freshet.yaml'), shell.here(blocks(section(title), 'yaml')[0]).replace('origin:', `admin: 127.0.0.1:${shell.ports[8081]}\norigin:`)
  .replace(/^https:/m, (line) => (/^listen:/m.test(blocks(section(title), 'yaml')[0]) ? line : `listen: 127.0.0.1:${shell.ports[8080]}\n${line}`)));

test('without a certificate', async () => {
  const [run, trust] = blocks(section('On your own machine'), 'sh');
  // The system's store is not for a test to change: there is no tool for it here.
  const only = `mkdir -p bin && ln -s "$(command -v freshet)" bin/freshet\nPATH=$PWD/bin ${trust.trim()} || echo "left: $?"\n`;
  const { out } = await shell.run(run + only + stop);
  assert.match(out, /^the local authority is \S*\.local\/state\/freshet\/authority\.pem \([0-9a-f]{16}\)$/m);
  assert.match(out, /^system: not changed, as there is no update-ca-certificates/m);
  assert.match(out, /^left: 1$/m);
});

test('with a certificate', async () => {
  const [make, run] = blocks(section('With a certificate'), 'sh');
  await shell.run(make);
  write('With a certificate');
  const { out } = await shell.run(run + stop);
  assert.match(out, /^freshet\.yaml: good, 1 site$/m);
  assert.match(out, /^subject=CN = localhost$/m);
});

test('which certificates are there', async () => {
  write('With a certificate');
  const { out } = await shell.run(blocks(section('With a certificate'), 'sh')[1] + blocks(section('Which certificates are there'), 'sh')[0] + stop);
  assert.match(out, /: the file \S+\.pem, good until \d{4}-\d\d-\d\d$/m);
});

test('everybody to https', async () => {
  write('Everybody to https');
  const { out } = await shell.run(blocks(section('Everybody to https'), 'sh')[0] + stop);
  assert.match(out, /^HTTP\/1\.1 308 /m);
  assert.match(out, new RegExp(`^location: https://localhost:${shell.ports[8443]}/books\\?page=2\\r?$`, "im"));
  assert.match(out, /^strict-transport-security: max-age=300\r?$/im);
});

test('to the origin', async () => {
  const [make, run] = blocks(section('To the origin'), 'sh');
  writeFileSync(join(shell.folder, 'freshet.yaml'), shell.here(blocks(section('To the origin'), 'yaml')[0]).replace('origin:',
    `listen: 127.0.0.1:${shell.ports[8080]}\nadmin: 127.0.0.1:${shell.ports[8081]}\norigin:`));
  const { out } = await shell.run(make + run + stop);
  assert.match(out, /^freshet\.yaml: good, 1 site$/m);
  assert.match(out, /^by TLS$/m);
});
