// During an upgrade a slow download, an upload and an upgraded connection (a WebSocket) go on at the old one to their end; drain_timeout cuts what does
// not end.
// scenarios V14
import { check, equal, Freshet, gate, Raw, reply, request, scenario } from '../lib.mjs';

const rest = gate();
const answer = (r) => {
  if (r.target === '/down') return [`HTTP/1.1 200 OK\r\nContent-Length: 10\r\nCache-Control: max-age=600\r\n\r\nfirst`, rest.opened.then(() => 'later')];
  if (r.target === '/tunnel' || r.target === '/stays') return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello`;
  return reply(`${r.target} ${r.body.length}`, { 'Cache-Control': 'max-age=600' });
};
const tunnel = { Connection: 'Upgrade', Upgrade: 'echo' };
await scenario({ answer, flags: ['--workers', '2', '--drain-timeout', '10m'] }, async ({ ask, cases, connect, freshet, origin }) => {
  const down = connect(), up = connect(), ws = connect();
  await down.send(request('/down'));
  await down.when('a part', () => down.text.includes('first'));
  await up.send(request('/up', { 'Content-Length': 8 }, { method: 'PUT' }) + 'half');
  await ws.send(request('/tunnel', tunnel));
  await ws.when('the tunnel', () => ws.text.includes('hello'));
  await freshet.upgrade();
  await cases.check('the download', async () => {
    rest.open();
    equal((await down.answers(1))[0].body, 'firstlater');
  });
  await cases.check('the upload', async () => {
    await up.send('rest');
    const [r] = await up.answers(1);
    equal(r.body, '/up 8');
  });
  await cases.check('the tunnel', async () => {
    const before = ws.text.length;
    for (const s of origin.sockets) s.write('more');
    await ws.when('more', () => ws.text.slice(before).includes('more'));
    equal(freshet.note('status'), undefined, 'the old one lives');
  });
  await cases.check('one upgrade while the one before still drains', async () => {
    const old = freshet.before;
    await ask('/page');
    await freshet.upgrade();
    check(/hit/.test((await ask('/page')).fields['cache-status']), 'a hit');
    await freshet.drained(); // the second, which had nothing left
    freshet.before = old;
    equal(freshet.note('status'), undefined, 'the first lives');
  });
  await cases.check('the tunnel ends, and so does the old one', async () => {
    ws.close();
    await freshet.drained();
  });
  await cases.check('told to end, the old one cuts what does not end by itself', async () => {
    const stays = connect();
    await stays.send(request('/stays', tunnel));
    await stays.when('the tunnel', () => stays.text.includes('hello'));
    await freshet.upgrade();
    equal(stays.ended, false, 'not at once');
    process.kill(+freshet.before.pid, 'SIGTERM');
    await stays.closed();
    await freshet.drained().catch((e) => { if (!/status 1/.test(e.message)) throw e; });
  });
  await cases.check('drain_timeout after the upgrade it is cut', async () => {
    // By the clock of the machine: that of an old one cannot be turned, as its control socket is the new one's.
    const hasty = new Freshet('hasty');
    await hasty.start(['--origin', origin.url, '--drain-timeout', '1s']);
    const stays = new Raw('hasty/front');
    await stays.send(request('/stays', tunnel));
    await stays.when('the tunnel', () => stays.text.includes('hello'));
    await hasty.upgrade();
    equal(stays.ended, false, 'not at once');
    await stays.closed();
    await hasty.saying('drain_timeout is over: 1 connections are cut');
    await hasty.drained();
    await hasty.stop();
  });
  for (const c of [down, up]) c.close();
});
