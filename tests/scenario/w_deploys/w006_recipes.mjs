// The lines of docs/DEPLOYS.md do what they say, as they stand: each is a deploy of the freshet that runs.
// CACHING.md 5.9
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { check, equal, reply, scenario } from '../lib.mjs';

const text = fs.readFileSync(new URL('../../../docs/DEPLOYS.md', import.meta.url), 'utf8');
const blocks = [...text.matchAll(/```(\w*)\n([^]*?)```/g)].map((m) => ({ kind: m[1], text: m[2].trim() }));
const shell = blocks.filter((b) => b.kind === 'sh').map((b) => b.text);
const unit = blocks.find((b) => b.kind === 'ini').text.match(/ExecStartPost=(.*)/)[1];
const inline = [...text.matchAll(/^\*\*(Docker Compose|PM2)\*\*.*: `.* && (freshet deploy.*)`$/gm)].map((m) => m[2]);
const answer = (r) => (r.target === '/sitemap.xml' ? reply('<urlset><url><loc>http://test/map</loc></url></urlset>') : reply('x', { 'Cache-Control': 'max-age=60' }));

await scenario({ answer, flags: ['--admin', '127.0.0.1:0'] }, async ({ ask, cases, origin, freshet }) => {
  const admin = /admin on (127\.0\.0\.1:\d+)/.exec(freshet.log())[1];
  fs.mkdirSync('bin');
  fs.symlinkSync(process.env.FRESHET, 'bin/freshet');
  const token = fs.readFileSync(new URL('../lib.mjs', import.meta.url), 'utf8').match(/token = '([^']+)'/)[1];
  const env = { ...process.env, PATH: `${path.resolve('bin')}:${process.env.PATH}`, FRESHET_TOKEN: token, COMMIT: 'c0ffee', KAMAL_VERSION: '1.2.3' };
  const sh = (line, admin_as) => new Promise((resolve) => {
    const p = spawn('/bin/sh', ['-c', line], { env: { ...env, FRESHET_ADMIN: admin_as }, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const s of [p.stdout, p.stderr]) s.on('data', (d) => (said += d));
    p.on('close', (status) => resolve({ status, said }));
  });
  const site = async () => {
    const r = await fetch(`http://${admin}/api/v1/status`, { headers: { authorization: `Bearer ${token}` } });
    return (await r.json()).sites[0];
  };
  await cases.check('curl', async () => {
    const line = shell.find((s) => s.startsWith('curl'));
    const r = await sh(line, `http://${admin}`);
    equal(r.status, 0, r.said);
    equal((await site()).deploy.id, 'c0ffee');
    equal((await sh(line.replace('$FRESHET_TOKEN', 'no'), `http://${admin}`)).status, 22, 'curl fails when it is refused');
  });
  await cases.check('systemd, Docker Compose, PM2', async () => {
    check(inline.length === 2 && unit, 'the document has them');
    for (const line of [unit, ...inline]) {
      const before = (await site()).deploys, r = await sh(line, admin);
      equal(r.status, 0, r.said);
      equal((await site()).deploys, before + 1);
    }
  });
  await cases.check('Kamal', async () => {
    const r = await sh(shell.find((s) => s.startsWith('#!')), admin);
    equal(r.status, 0, r.said);
    equal((await site()).deploy.id, '1.2.3');
  });
  await cases.check('blue/green, and back', async () => {
    await ask('/often');
    const line = shell.find((s) => s.includes('--origin'));
    const r = await sh(line.replace('http://127.0.0.1:3001', origin.url), admin);
    equal(r.status, 0, r.said);
    check(r.said.includes('v43 is live') && r.said.includes('2 of 2 fetched'), r.said);
    check(/^freshet; hit/.test((await ask('/map')).fields['cache-status']), 'warm');
    check(text.includes('`freshet deploy --rollback` goes back'), 'the document says so');
    equal((await sh('freshet deploy --rollback', admin)).said.startsWith('rolled back: 1.2.3 is live'), true);
  });
});
