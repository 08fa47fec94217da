// At an address of this machine alone a site needs no certificate: an authority in the state folder signs for localhost and the hosts, renews by
// itself and stays the same over restarts. `freshet trust` makes the system and browsers believe it, says what it did, and takes it back.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, certificate } from '../tls.mjs';

const yaml = (hosts) => (origin) => `origin: "${origin}"\nsites:\n  one: {hosts: [${hosts}]}`;
const flags = ['--https', '127.0.0.1:0'];
const answer = () => reply('x', { 'Cache-Control': 'max-age=600' });
await scenario({ answer, flags, yaml: yaml('shop.test, "*.shop.test", localhost, 127.0.0.1') }, async ({ cases, freshet, origin }) => {
  const ca = () => fs.readFileSync('state/authority.pem', 'utf8');
  const first = ca();
  // What a client finds that believes the authority and checks the name.
  const visit = async (servername, options = {}) => {
    const port = +[...freshet.log().matchAll(/listening on 127\.0\.0\.1:(\d+) with TLS/g)].at(-1)[1];
    const c = new Secure({ path: undefined, host: servername, servername, rejectUnauthorized: true, ca: [first], ...options, ...{ port },
      lookup: (_, o, done) => (o.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)) });
    if (!(await c.shaken)) return { error: String(c.error?.code) };
    const cert = c.socket.getPeerCertificate();
    await c.send(request('/', { Host: servername }));
    const status = (await c.answers(1))[0].status;
    c.close();
    return { status, id: cert.fingerprint256, names: cert.subjectaltname };
  };
  await cases.check('the start says how to trust it; its key is for its owner alone', async () => {
    check(/made an authority for local certificates, \S*state\/authority.pem/.test(freshet.log()), freshet.log());
    check(/certificates are of the local authority \S*state\/authority.pem; "freshet trust"/.test(freshet.log()), freshet.log());
    equal(fs.statSync('state/authority.key').mode & 0o777, 0o600);
    check(!/warning: site/.test(freshet.log()), 'no certificate is missed');
  });
  await cases.check('who believes it gets localhost and each host', async () => {
    for (const name of ['localhost', 'shop.test', 'www.shop.test']) equal((await visit(name)).status, 200);
    equal((await visit('other.test')).error, 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
    equal((await visit('localhost', { ca: undefined })).error, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    const { names } = await visit('localhost');
    check(/IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1/.test(names), names);
    execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', 'state/authority.pem', 'state/authority.pem'], { stdio: 'pipe' });
  });
  await cases.check('it is renewed by itself', async () => {
    const { id } = await visit('localhost');
    await freshet.wall('29d');
    await freshet.advance('2s');
    equal((await visit('localhost')).id, id);
    await freshet.wall('2d');
    await freshet.meanwhile('1s', () => /the local certificate was renewed/.test(freshet.log()));
    check((await visit('localhost', { rejectUnauthorized: false })).id !== id, 'another certificate');
    equal(ca(), first);
    check(!/expires on/.test(freshet.log()), 'nobody is told to renew it');
    await freshet.wall('-31d');
  });
  await cases.check('a reload signs for hosts that are new', async () => {
    freshet.note('config.yaml', yaml('shop.test, blog.test')(origin.url));
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
    equal((await visit('blog.test')).status, 200);
  });
  await cases.check('after a restart and an upgrade it is the same authority', async () => {
    await freshet.upgrade();
    await freshet.drained();
    equal((await visit('shop.test')).status, 200);
    await freshet.restart(['--yaml', yaml('shop.test')(origin.url), ...flags]);
    equal((await visit('shop.test')).status, 200);
    equal(ca(), first);
    equal(freshet.log().match(/made an authority/g).length, 1);
  });
  await cases.check('trust changes the stores of the system and of browsers, and takes it back', async () => {
    // Where browsers keep theirs: of old, by the XDG base directories, and in a snap and a flatpak.
    const stores = ['home/.pki/nssdb', 'home/.mozilla/firefox/x.default', 'home/.local/share/pki/nssdb', 'elsewhere/mozilla/firefox/x.default',
      'home/snap/chromium/current/.local/share/pki/nssdb', 'home/.var/app/org.chromium.Chromium/data/pki/nssdb'];
    for (const folder of [...stores, 'system', 'etc', 'bin', 'hooks']) fs.mkdirSync(folder, { recursive: true });
    for (const store of stores) execFileSync('certutil', ['-N', '--empty-password', '-d', `sql:${store}`]);
    fs.writeFileSync('conf', '');
    certificate('already', ['already.test']);
    fs.copyFileSync('already.pem', 'system/already.crt'); // of no others the tool makes no bundle
    const real = execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin command -v update-ca-certificates'], { encoding: 'utf8' }).trim();
    fs.writeFileSync('bin/update-ca-certificates', `#!/bin/sh\nexec ${real} --localcertsdir ${path.resolve('system')} --etccertsdir ${path.resolve('etc')}` +
      ` --certsconf ${path.resolve('conf')} --hooksdir ${path.resolve('hooks')} "$@"\n`, { mode: 0o755 });
    const env = { HOME: path.resolve('home'), XDG_DATA_HOME: '', XDG_CONFIG_HOME: path.resolve('elsewhere'), FRESHET_TEST_TRUST: path.resolve('system'), PATH: `${path.resolve('bin')}:${process.env.PATH}` };
    const before = { ...process.env };
    Object.assign(process.env, env);
    try {
      const is = () => stores.map((s) => execFileSync('certutil', ['-L', '-d', `sql:${s}`], { encoding: 'utf8' }))
        .filter((text) => /freshet local authority [0-9a-f]{16} +C,,/.test(text)).length;
      const bundle = () => fs.readFileSync('etc/ca-certificates.crt', 'utf8');
      for (let i = 0; i < 2; i++) {
        const r = freshet.run('trust', '--state', path.resolve('state'));
        equal(r.status, 0, r.stdout + r.stderr);
        check(/^system: believes it/m.test(r.stdout), r.stdout);
        check((i ? /nssdb: believes it already/ : /nssdb: believes it; restart the browser/).test(r.stdout), r.stdout);
        equal(is(), stores.length);
        check(bundle().includes(first.trim()), 'the bundle');
      }
      for (let i = 0; i < 2; i++) {
        const r = freshet.run('trust', '--remove', '--state', path.resolve('state'));
        equal(r.status, 0, r.stdout + r.stderr);
        check((i ? /^system: does not know it/m : /^system: believes it no more/m).test(r.stdout), r.stdout);
        equal(is(), 0);
        check(!bundle().includes(first.trim()), 'the bundle');
      }
      const none = freshet.run('trust', '--state', path.resolve('nowhere'));
      equal(none.status, 1);
      check(/there is no local authority in "\S*nowhere": freshet makes one when it starts with --https/.test(none.stderr), none.stderr);
    } finally {
      for (const name of Object.keys(env)) process.env[name] = before[name] ?? '';
      delete process.env.FRESHET_TEST_TRUST;
    }
  });
  await cases.check('one that is damaged is said, and a start without it refused', async () => {
    const run = (...more) => freshet.run('run', '--origin', 'http://127.0.0.1:9', '--https', '127.0.0.1:0', '--listen', `unix:${path.resolve('free')}`,
      '--admin', '', '--state', path.resolve('other'), '--disk', '0', ...more);
    fs.mkdirSync('other');
    fs.writeFileSync('other/authority.pem', 'nothing');
    fs.writeFileSync('other/authority.key', 'nothing');
    const r = run();
    equal(r.status, 1);
    check(/https: the authority in "\S*other" is damaged; remove authority.pem and authority.key there/.test(r.stderr), r.stderr);
  });
  await cases.check('an address that others reach has no such certificate', async () => {
    await freshet.restart(['--yaml', yaml('shop.test')(origin.url), '--https', '0.0.0.0:0']);
    check(/site one: there is no certificate for shop.test/.test(freshet.log()), 'that it is missed');
  });
  await cases.check('a site with a certificate keeps it', async () => {
    const own = certificate('own', ['shop.test']);
    await freshet.restart(['--yaml', `origin: "${origin.url}"\nsites:\n  one: {hosts: [shop.test], cert: own.pem, key: own.key}\n  two: {hosts: [blog.test]}`,
      ...flags]);
    equal((await visit('blog.test')).status, 200);
    equal((await visit('shop.test', { ca: [fs.readFileSync(own[1])] })).status, 200);
    equal((await visit('shop.test', { ca: [first] })).error, 'DEPTH_ZERO_SELF_SIGNED_CERT');
  });
});
