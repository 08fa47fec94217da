// Programs of others over TLS and HTTP/2: curl, nghttp, h2load, python3-h2; and two scanners, which find nothing above "low".

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { end, run as start } from './lib/front.mjs';
import { FRESHET, freePorts, temporaryFolder, until } from './lib/world.mjs';

const large = 'l'.repeat(300_000);
const folder = temporaryFolder();
const ca = join(folder, 'ca.pem');
let origin, port, freshet, said = '';

// Ends with status 0, or throws; what it printed.
const run = (program, args, options = {}) =>
  new Promise((resolve, reject) => execFile(program, args, { cwd: folder, timeout: 170_000, maxBuffer: 1 << 24, ...options }, (error, stdout, stderr) =>
    error ? reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}\n${said}`)) : resolve(stdout)));

// As a public authority signs, with the place of its list of revoked ones.
async function certificate() {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(join(folder, 'extensions'), 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\ncrlDistributionPoints=URI:http://ca.invalid/crl\n');
  await run('openssl', ['req', '-x509', ...key, '-days', '365', '-subj', '/CN=authority', '-addext', 'basicConstraints=critical,CA:TRUE',
    '-addext', 'keyUsage=critical,keyCertSign,cRLSign', '-keyout', 'ca.key', '-out', 'ca.pem']);
  await run('openssl', ['req', ...key, '-subj', '/CN=localhost', '-keyout', 'site.key', '-out', 'site.csr']);
  await run('openssl', ['x509', '-req', '-in', 'site.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '90', '-extfile', 'extensions', '-out', 'site.pem']);
}

before(async () => {
  await certificate();
  origin = createServer(async (request, response) => {
    let n = 0;
    for await (const piece of request) n += piece.length;
    response.setHeader('CDN-Cache-Control', 'max-age=600');
    response.end(request.method === 'POST' ? `got ${n}` : request.url === '/large' ? large : 'page');
  });
  await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
  [port] = await freePorts(1);
  mkdirSync(join(folder, 'state'));
  freshet = start(FRESHET, ['run', '--origin', `http://127.0.0.1:${origin.address().port}`, '--listen', `unix:${join(folder, 'clear')}`,
    '--https', `127.0.0.1:${port}`, '--cert', 'site.pem', '--key', 'site.key', '--admin', `unix:${join(folder, 'admin')}`, '--state', 'state'], { cwd: folder }, (d) => (said += d));
  await until('freshet listens', () => said.includes(`listening on 127.0.0.1:${port} with TLS`));
});
after(async () => {
  await end(freshet);
  origin.close();
  assert.doesNotMatch(said, /Sanitizer|CHECK/);
  rmSync(folder, { recursive: true });
});

const url = (path) => `https://localhost:${port}${path}`;

test('curl --http2', async () => {
  const args = ['-sS', '--http2', '--cacert', ca, '-w', '%{http_version} %{http_code} %{size_download}\n', '-o', '/dev/null'];
  assert.equal(await run('curl', [...args, url('/page')]), '2 200 4\n');
  assert.equal(await run('curl', [...args, '-o', '/dev/null', url('/large'), url('/page')]), '2 200 300000\n2 200 4\n');
  assert.equal(await run('curl', [...args, '-d', 'body', url('/post')]), '2 200 5\n');
});

test('nghttp', async () => {
  const out = await run('nghttp', ['-nv', '-m', '3', url('/page'), url('/large')]);
  assert.equal(out.match(/:status: 200/g)?.length, 6, out);
  assert.match(out, /freshet; hit/);
});

test('h2load', async () => {
  const out = await run('h2load', ['-n', '2000', '-c', '8', '-m', '10', '-t', '1', url('/page'), url('/large')]);
  assert.match(out, /requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(out, /Application protocol: h2/);
});

test('python3-h2', async () => {
  const script = fileURLToPath(new URL('lib/h2_client.py', import.meta.url));
  assert.equal(await run('/usr/bin/python3', [script, String(port), ca]), '/page 200 4\n/page 200 4\n/large 200 300000\n/post 200 10\n');
});

test('sslscan', async () => {
  const out = await run('sslscan', ['--no-colour', `localhost:${port}`]);
  for (const version of ['SSLv2', 'SSLv3', 'TLSv1.0', 'TLSv1.1']) assert.match(out, new RegExp(`^${version} +disabled$`, 'm'));
  for (const version of ['TLSv1.2', 'TLSv1.3']) assert.match(out, new RegExp(`^${version} +enabled$`, 'm'));
  const suites = [...out.matchAll(/^(?:Preferred|Accepted) +\S+ +\d+ bits +(\S+)/gm)].map((m) => m[1]);
  assert.ok(suites.length >= 6, out);
  for (const suite of suites) assert.match(suite, /^(TLS_(AES|CHACHA20)|ECDHE-.*(GCM|POLY1305))/);
  assert.match(out, /Session renegotiation not supported/);
});

test('testssl.sh finds nothing above "low"', async () => {
  const file = join(folder, 'findings.json');
  // Protocols, suites, forward secrecy, preferences, defaults, header, vulnerabilities. It ends with the number of what it thinks of.
  await run('testssl', ['--color', '0', '--warnings', 'off', '--quiet', '--ip', '127.0.0.1', '--add-ca', ca, '--jsonfile', file,
    '-p', '-s', '-f', '-P', '-S', '-h', '-U', `localhost:${port}`]).catch((error) => error);
  const findings = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(findings.length > 60, `${findings.length} findings`);
  const ids = new Set(findings.map(({ id }) => id));
  for (const id of ['TLS1_3', 'cipher_order', 'cert_chain_of_trust', 'heartbleed', 'LUCKY13']) assert.ok(ids.has(id), id);
  const bad = findings.filter(({ severity }) => !['OK', 'INFO', 'LOW', 'WARN'].includes(severity));
  assert.deepEqual(bad, []);
});
