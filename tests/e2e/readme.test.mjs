// README.md's first commands, pasted in one go: they wait for what they start, and leave nothing behind. What they print is what README
// says. What it says of localhost holds: another host is another page. CACHING.md 4.1.

import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { Front, ask, end, run } from './lib/front.mjs';
import { block, blocks } from './lib/guide.mjs';
import { Shell } from './lib/shell.mjs';
import { FRESHET, REPOSITORY, freePorts, temporaryFolder, until } from './lib/world.mjs';

const readme = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** What differs from one run to the next. */
const mask = (text) => text.replaceAll('\r', '').replace(/\(sequence \d+\)/, '(sequence 2)').replace(/\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/g, 'DATE').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
  .replace(/"[0-9a-f]{32}"/g, 'ETAG').replace(/ttl=(2\d\d|300)/g, 'ttl=299').replace(/^Age: \d\d?$/gm, 'Age: 0');

test('the first commands in one go, and again', async () => {
  const shell = await Shell.open(4321);
  const path = block(readme, 'sh', 'make install').split('\n').slice(1).join('\n');
  let last;
  for (let i = 0; i < 2; i++) {
    const { out } = await shell.run(`${path}\n${block(readme, 'sh', 'createServer')}wait`);
    const answers = out.slice(out.indexOf('HTTP/1.1'));
    assert.match(answers, /^Cache-Status: freshet; fwd=uri-miss; stored\r?$/m);
    const [shown] = blocks(readme, '').filter((code) => code.startsWith('HTTP/1.1 200 OK'));
    for (const part of mask(shown).split('...\n')) assert.ok(mask(answers).includes(part), `${mask(answers)}\nis without\n${part}`);
    const times = [...answers.matchAll(/rendered at (\S+)/g)].map((m) => m[1]);
    assert.equal(times.length, 3);
    assert.equal(times[0], times[1]);
    assert.notEqual(times[1], times[2]);
    if (i > 0) assert.equal(times[0], last, 'the page outlives freshet');
    last = times[2];
    assert.match(out, /^ {2}answer +hit/m);
    assert.ok(await shell.isQuiet(), 'something still listens');
  }
  shell.close();
});

// The names of the example are nobody's, and no CA is asked: the line is taken as it stands but for its ports and the CA.
test('the line for the open internet', async () => {
  const [http, https, admin] = await freePorts(3), folder = temporaryFolder();
  const [sudo, , ...args] = block(readme, 'sh', '--acme-email').trim().split(/ +/).map((word) => ({ ':80': `127.0.0.1:${http}`, ':443': `127.0.0.1:${https}` })[word] ?? word);
  assert.equal(sudo, 'sudo');
  let said = '';
  const child = run(FRESHET, [...args, '--acme-directory', 'https://127.0.0.1:1/dir', '--admin', `127.0.0.1:${admin}`, '--state', join(folder, 'state')], { env: { ...process.env, FRESHET_RUNTIME_DIR: '' } }, (d) => (said += d));
  await until(() => `an order: ${said}`, () => said.includes('no certificate for shop.example'));
  assert.match(said, /listening on \S+ with TLS/);
  assert.doesNotMatch(said, /freshet: warning: site/);
  const answer = await ask(http, '/a', { headers: { Host: 'shop.example' } });
  assert.equal(answer.status, 308);
  assert.match(answer.headers.location, /^https:\/\/shop\.example(:\d+)?\/a$/);
  await end(child);
  rmSync(folder, { recursive: true, force: true });
});

test('localhost is another page than 127.0.0.1', async () => {
  const site = createServer((request, response) => response.setHeader('CDN-Cache-Control', 'max-age=60').end(request.headers.host));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
  const front = await Front.start(`http://127.0.0.1:${site.address().port}`);
  for (const host of ['127.0.0.1', 'localhost']) {
    await front.miss('/', { headers: { Host: `${host}:${front.port}` } });
    assert.equal((await front.hit('/', { headers: { Host: `${host}:${front.port}` } })).text, `${host}:${front.port}`);
  }
  await front.stop();
  site.close();
});
