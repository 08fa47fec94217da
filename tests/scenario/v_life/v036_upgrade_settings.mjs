// An upgrade brings what needs a restart: other addresses, fewer and more workers, another size of the disk. What stays is served without a gap, what is new
// is there, what is gone is refused. Without a disk the new process begins with no page, and no request fails either. Two who ask at once get one upgrade.
// scenarios V12
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { check, equal, Raw, reply, request, scenario } from '../lib.mjs';

const answer = (r) => reply(`page ${r.target}`, { 'Cache-Control': 'max-age=600' });
const base = 19000 + (process.pid % 500) * 2, ports = [base, base + 1];
let url;
const file = (listen, workers, disk, admin = `unix:${path.resolve('admin')}`) => `admin: "${admin}"\nlisten: [${listen.map((l) => `"${l}"`).join(', ')}]\nworkers: ${workers}\ndisk: ${disk}\nsites: {shop: {origin: "${url}"}}\n`;
const front = `unix:${path.resolve('front')}`, tcp = ports.map((p) => `127.0.0.1:${p}`);
const yaml = (origin) => { url = origin; return file([front, tcp[0]], 3, '16M'); };
const refused = (port) => new Promise((resolve) => {
  const s = net.connect(port, '127.0.0.1', () => { s.destroy(); resolve(false); }).on('error', (e) => resolve(e.code === 'ECONNREFUSED'));
});
await scenario({ answer, yaml }, async ({ ask, cases, connect, freshet }) => {
  let over = false, asked = 0;
  const failures = [];
  const herd = ['front', 'front', 'front', 'front'].map(async (where, i) => {
    for (let n = 0; !over; n++) {
      const c = new Raw(where);
      try {
        for (let k = 0; k < 5; k++, asked++) {
          await c.send(request(`/${i}`));
          const r = (await c.answers(k + 1)).at(-1);
          equal(r.body, `page /${i}`);
        }
      } catch (e) {
        failures.push(e.message);
      }
      c.close();
    }
  });
  const kept = connect();
  let kept_n = 0;
  const by_kept = async () => {
    await kept.send(request('/kept'));
    return (await kept.answers(++kept_n)).at(-1);
  };
  await by_kept();
  const upgrade = async (text) => {
    fs.writeFileSync('config.yaml', text);
    await freshet.upgrade();
    await freshet.drained();
    equal(failures.join('; '), '');
  };
  const over_tcp = async (port) => {
    const c = new Raw({ host: '127.0.0.1', port });
    await c.send(request('/tcp'));
    const r = (await c.answers(1))[0];
    c.close();
    return r;
  };
  const workers = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).workers;
  await over_tcp(ports[0]);
  await cases.check('one worker with the sockets of three', async () => {
    await upgrade(file([front, tcp[0]], 1, '16M'));
    equal(await workers(), 1);
    for (let i = 0; i < 20; i++) check(/hit/.test((await over_tcp(ports[0])).fields['cache-status']), 'each of its sockets is served');
    check(/hit/.test((await by_kept()).fields['cache-status']), 'a hit');
  });
  await cases.check('four workers, another address', async () => {
    await upgrade(file([front, tcp[1]], 4, '16M'));
    equal(await workers(), 4);
    check(/hit/.test((await over_tcp(ports[1])).fields['cache-status']), 'the new address');
    check(await refused(ports[0]), 'the old address');
  });
  await cases.check('another size of the disk: its segments are cut anew, so nothing is there', async () => {
    await upgrade(file([front, tcp[1]], 2, '48M'));
    equal((await by_kept()).body, 'page /kept');
  });
  await cases.check('no disk', async () => {
    await upgrade(file([front, tcp[1]], 2, 0));
    equal((await by_kept()).body, 'page /kept');
    await upgrade(file([front, tcp[1]], 2, 0));
    check(!/hit/.test((await by_kept()).fields['cache-status']), 'a page that was in memory alone');
  });
  await cases.check('more sockets than one worker can have', async () => {
    await upgrade(file([front, tcp[1]], 70, 0));
    equal(await workers(), 70);
    await upgrade(file([front, tcp[1]], 1, 0));
    await Promise.all(Array.from({ length: 400 }, () => over_tcp(ports[1])));
  });
  await cases.check('an address of the sites becomes the admin\'s', async () => {
    await upgrade(file([front, tcp[1]], 3, 0));
    await upgrade(file([front], 3, 0, tcp[1]));
    for (let i = 0; i < 40; i++) equal((await over_tcp(ports[1])).status, 404, 'answered by the admin');
    await upgrade(file([front, tcp[1]], 2, 0));
    for (let i = 0; i < 40; i++) equal((await over_tcp(ports[1])).body, 'page /tcp', 'and back');
    await upgrade(file([front], 2, 0)); // as many sockets as at first
  });
  await cases.check('two who ask at once', async () => {
    const before = freshet.log().length;
    const [a, b] = await Promise.all([freshet.verb('upgrade'), freshet.verb('upgrade')]);
    equal(`${a.status} ${b.status}`, '0 0', `${a.stderr}${b.stderr}`);
    const all = [...freshet.log().slice(before).matchAll(/process (\d+) serves/g)];
    check(all.length >= 1 && all.length <= 2, 'one, or one after the other');
    freshet.before = { pid: freshet.note('pid'), orphan: true };
    await freshet.drained();
    freshet.note('pid', all.at(-1)[1]);
  });
  over = true;
  await Promise.all(herd);
  equal(failures.join('; '), '');
  check(asked > 100, `${asked} requests`);
  kept.close();
});
