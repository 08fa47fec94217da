// Changed certificates are taken as they come, without a dropped connection; a pair that is none is an error in the log and the old one stays; dates
// that come near are said. What is wrong at the start or at a reload is a clear error.
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, request, scenario } from '../lib.mjs';
import { Secure, address, certificate, hands } from '../tls.mjs';

const flags = ['--https', address, ...certificate('one', ['test'])];
const copy = (name) => {
  for (const end of ['pem', 'key']) fs.copyFileSync(`${name}.${end}`, `one.${end}`);
};
// The folder's clock has grains; another size shows anyway, and a name that is new is another file.
await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=600' }), flags }, async ({ cases, freshet }) => {
  const kept = new Secure();
  await kept.send(request('/'));
  await kept.answers(1);
  certificate('two', ['test', 'longer.test']);
  await cases.check('a new pair is taken', async () => {
    equal((await hands()).name, 'one');
    copy('two');
    await freshet.meanwhile('1s', () => /changed certificates are taken/.test(freshet.log()));
    equal((await hands()).name, 'two');
  });
  await cases.check('the connection from before goes on', async () => {
    await kept.send(request('/'));
    check(/hit/.test((await kept.answers(2)).at(-1).fields['cache-status']), 'a hit');
  });
  await cases.check('a key of another certificate is said, and the old pair stays', async () => {
    certificate('three', ['test', 'another.longer.test']);
    fs.copyFileSync('three.key', 'one.key');
    await freshet.meanwhile('1s', () => /one.key does not match the certificate \S*one.pem/.test(freshet.log()));
    check(/changed certificates are not taken, the old ones stay/.test(freshet.log()), 'and that the old ones stay');
    equal((await hands()).name, 'two');
  });
  await cases.check('until the rest of it comes', async () => {
    copy('three');
    await freshet.meanwhile('1s', async () => (await hands()).name === 'three');
  });
  await cases.check('files that go away are said', async () => {
    fs.renameSync('one.pem', 'away.pem');
    await freshet.meanwhile('1s', () => /cannot read \S*one.pem: no such file/.test(freshet.log()));
    fs.renameSync('away.pem', 'one.pem');
    equal((await hands()).name, 'three');
  });
  await cases.check('a reload with a bad pair changes nothing', async () => {
    fs.copyFileSync('one.key', 'good.key');
    fs.writeFileSync('one.key', 'no key');
    freshet.signal('HUP');
    await freshet.saying('reload: the old settings stay, the new ones have errors:');
    await freshet.saying('no private key is in it');
    equal((await hands()).name, 'three');
    fs.copyFileSync('good.key', 'one.key');
    freshet.signal('HUP');
    await freshet.saying('main: reloaded');
    equal((await hands()).name, 'three');
  });
  await cases.check('check finds what is wrong', async () => {
    const wrong = freshet.run('check', '--origin', 'http://127.0.0.1:9', '--https', `unix:${path.resolve('free')}`, '--cert', path.resolve('two.pem'),
      '--key', path.resolve('three.key'), '--state', path.resolve('other'));
    equal(wrong.status, 1);
    check(/three.key does not match the certificate \S*two.pem/.test(wrong.stderr), wrong.stderr);
    const more = freshet.run('check', '--origin', 'http://127.0.0.1:9', '--https', `unix:${path.resolve('free')}`, '--cert', path.resolve('two.pem'),
      '--state', path.resolve('other'));
    check(/site default: \S*two.pem: no private key is in it/.test(more.stderr), more.stderr);
  });
  await cases.check('the end of the certificate is near, then there', async () => {
    await freshet.meanwhile('12h', () => /the certificate for test expires on \d{4}-\d\d-\d\d, in 13 days; renew it/.test(freshet.log()));
    await freshet.meanwhile('12h', () => /the certificate for test has expired/.test(freshet.log()));
  });
  kept.close();
});
