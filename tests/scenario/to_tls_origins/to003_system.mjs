// Without origin_ca the authorities of the system are believed: those of SSL_CERT_FILE, or of SSL_CERT_DIR, when these are set. They are read at the start, at
// a reload, and when a deploy is the first to name an https:// origin; also after the sandbox holds.
import fs from 'node:fs';
import path from 'node:path';
import { Origin, check, equal, reply, scenario } from '../lib.mjs';
import { authority, signed } from '../tls.mjs';

fs.mkdirSync('authorities');
process.env.SSL_CERT_FILE = path.resolve('authorities/all.pem');
process.env.SSL_CERT_DIR = path.resolve('authorities');
authority('ca');
authority('later');
fs.copyFileSync('ca.pem', 'authorities/all.pem');
const secure = await new Origin(() => reply('by TLS', { 'Cache-Control': 'no-store' }), signed('good', 'ca', ['IP:127.0.0.1'])).listen();
const put = (name) => (fs.rmSync('authorities/all.pem', { force: true }), name && fs.copyFileSync(`${name}.pem`, 'authorities/all.pem'));

await scenario({ answer: () => reply('in clear', { 'Cache-Control': 'no-store' }) }, async ({ ask, cases, freshet }) => {
  let reloads = 0, refused = 0;
  const reload = async (good) => {
    freshet.signal('HUP');
    if (good) await freshet.saying('main: reloaded', ++reloads);
    else await freshet.saying('reload: the old settings stay', ++refused);
  };
  await cases.check('in clear nobody needs them', async () => {
    equal((await ask('/')).body, 'in clear');
    put();
    await reload(true);
    put('ca');
  });
  await cases.check('a deploy reads them', async () => {
    const done = await freshet.verb('deploy', '--origin', secure.url);
    equal(done.status, 0, done.stderr);
    equal((await ask('/')).body, 'by TLS');
  });
  await cases.check('at a restart they are read for what is live', async () => {
    await freshet.settle();
    await freshet.restart(['--origin', secure.url, '--state', path.resolve('other')]);
    equal((await ask('/')).body, 'by TLS');
  });
  reloads = refused = 0;
  await cases.check('a reload that cannot read them says so', async () => {
    reloads = (freshet.log().match(/main: reloaded/g) ?? []).length;
    put();
    await reload(false);
    await freshet.saying('site default: to its origin: cannot read \\S*authorities/all.pem: no such file');
    equal((await ask('/')).body, 'by TLS');
  });
  await cases.check('and one that reads others believes those', async () => {
    put('later');
    await reload(true);
    equal((await ask('/')).status, 502);
    put('ca');
    await reload(true);
    equal((await ask('/')).body, 'by TLS');
  });
  await cases.check('freshet check says what is wrong', () => {
    process.env.SSL_CERT_FILE = '';
    const wrong = freshet.run('check', '--origin', secure.url, '--listen', `unix:${path.resolve('free')}`, '--admin', '', '--state', path.resolve('third'),
      '--origin-ca', path.resolve('good.key'));
    equal(wrong.status, 1);
    check(/good.key:1: no certificate is in it/.test(wrong.stderr), wrong.stderr);
  });
});
