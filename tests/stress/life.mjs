// The end comes in the middle of everything: downloads, uploads, waiters, tunnels, slow readers, refreshes, purges. Freshet ends in time,
// with status 0, without a leak, and what was under way is whole or visibly cut.
import { Client, below, chance, check, done, equal, eventually, pause, pick, reply, scaled, stress, within } from './lib.mjs';

const body_of = (target, n) => `${target} `.repeat(Math.ceil(n / (target.length + 1))).slice(0, n);
const size_of = (target) => +/-(\d+)$/.exec(target)[1];

async function answer(request, c) {
  const { target } = request;
  if (request.fields.upgrade) {
    c.onRaw = (d) => c.socket.write(d);
    c.socket.on('end', () => c.socket.end());
    await c.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    return;
  }
  if (request.method === 'POST') return void (await c.write(reply(`${request.body.length} bytes`, { 'Cache-Control': 'no-store' })));
  const size = size_of(target);
  const body = body_of(target, size);
  if (target.startsWith('/never')) return; // until somebody gives up
  await pause(below(10));
  const life = target.startsWith('/kept') ? 's-maxage=1, stale-while-revalidate=600' : 'no-store';
  await c.write(`HTTP/1.1 200 OK\r\nCache-Control: ${life}\r\nCache-Tag: all\r\nContent-Length: ${size}\r\n\r\n`);
  for (let at = 0; at < size && !c.gone; at += 20_000) {
    await c.write(body.slice(at, at + 20_000));
    if (chance(0.2)) await pause(below(5));
  }
}

for (let round = 0; round < scaled(6, 3); round++) {
  const drain = ['0', '300ms', '3s'][round % 3];
  await stress(`the end in the middle of everything, drain_timeout ${drain}`, { answer, flags: ['--drain-timeout', drain, '--memory', '8M'] },
    async ({ at, freshet }) => {
      let stop = false;
      let whole = 0;
      const clients = new Set();
      const visit = async () => {
        while (!stop) {
          const c = new Client(at);
          clients.add(c);
          for (let i = 0; i < 5 && !c.ended && !stop; i++) {
            const kind = pick(['kept', 'kept', 'private', 'never', 'post', 'tunnel', 'slow', 'leave']);
            const target = `/${kind === 'private' ? 'private' : 'kept'}-${below(20)}-${pick([10, 5000, 300_000, 2_000_000])}`;
            if (kind === 'kept' || kind === 'private') {
              const r = await c.ask(target);
              if (r.cut || r.status >= 500) continue;
              whole++;
              check(r.status === 200 && r.body.toString() === body_of(target, size_of(target)), 'what is whole is right', () => `${target} ${r.status} ${r.body.length}`);
            } else if (kind === 'post') {
              const n = pick([0, 1000, 500_000]);
              const r = await c.send('POST', `POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: ${n}\r\n\r\n`, { body: Buffer.alloc(n, 'p') });
              if (!r.cut && r.status === 200) equal(r.body.toString(), `${n} bytes`, 'the upload was whole');
            } else if (kind === 'tunnel') {
              const r = await c.send('GET', 'GET /tunnel HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
              if (r.status !== 101) continue;
              c.onRaw = () => {};
              c.socket.write(Buffer.alloc(50_000));
              await c.closed;
            } else if (kind === 'never') {
              await c.ask(`/never-${below(3)}-0`);
            } else if (kind === 'slow') {
              const p = c.ask(`/private-${below(5)}-2000000`);
              c.socket.pause();
              await Promise.race([p, pause(2000, undefined, { ref: false })]);
              c.socket.resume();
              await p;
            } else {
              c.ask(target);
              await pause(below(8));
              c.close();
            }
          }
          clients.delete(c);
          c.close();
        }
      };
      const visits = Array.from({ length: 40 }, visit);
      const purges = (async () => {
        while (!stop) {
          await freshet.purge({ cache_tags: ['all'], soft: chance(0.5) }).catch((e) => check(stop, 'purges go on until the end', e.message));
          await pause(below(20));
        }
      })();
      await eventually('there is life', () => whole > 0);
      await pause(below(500));
      stop = true;
      freshet.child.kill('SIGTERM');
      freshet.ended = true;
      const status = await within('the end', freshet.over, 12_000);
      equal(status, 0, 'the exit status is 0');
      for (const c of clients) c.close();
      await within('all visitors', Promise.all([...visits, purges]));
      freshet.agent?.destroy();
    });
}
done();
