// While a client pauses its upload the origin owes nothing: its time limits count from what it was sent, and a pause is not its fault.
// scenarios T2, T3, K1
import { check, equal, reply, request, scenario, soon } from '../lib.mjs';

const head = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
const answer = (r) => (r.target === '/silent' ? null : r.target === '/early' ? null : reply(`got ${r.body}`));
await scenario({ answer, flags: ['--first-byte-timeout', '20s', '--between-bytes-timeout', '10s', '--body-timeout', '60s'] },
  async ({ connect, cases, freshet, origin }) => {
    const failures = async () => (await freshet.gauges()).fetches_failed_total;
    // Sends what comes before the pause; returns when the origin has it.
    const begin = async (target, fields, part) => {
      const c = connect();
      await c.send(request(target, fields, { method: 'POST' }) + part);
      await soon(() => [...origin.sockets].at(-1)?.bytesRead > 0 && last().endsWith(part));
      return c;
    };
    let seen = new Map();
    const last = () => seen.get([...origin.sockets].at(-1)) ?? '';
    origin.server.on('connection', (s) => s.on('data', (d) => seen.set(s, (seen.get(s) ?? '') + d)));
    for (const [name, fields, first, second] of [['a length', { 'Content-Length': 4, Incremental: '?1' }, 'ab', 'cd'],
      ['chunks', { 'Transfer-Encoding': 'chunked' }, '2\r\nab\r\n', '2\r\ncd\r\n0\r\n\r\n']]) {
      await cases.check(`a pause in an upload with ${name}`, async () => {
        const c = await begin('/', fields, first);
        for (let i = 0; i < 2; i++) await freshet.advance('25s');
        await c.send(second);
        const [r] = await c.answers();
        equal(`${r.status} ${r.body}`, '200 got abcd');
        c.close();
      });
    }
    await cases.check('nothing failed', async () => equal(await failures(), 0));
    await cases.check('a pause while the answer has begun', async () => {
      const c = await begin('/early', { 'Content-Length': 4, Incremental: '?1' }, 'ab');
      [...origin.sockets].at(-1).write(head + 'he');
      await c.when('the beginning', () => c.text.endsWith('he'));
      await freshet.advance('25s');
      await c.send('cd');
      await soon(() => last().endsWith('abcd'));
      [...origin.sockets].at(-1).write('llo');
      const [r] = await c.answers();
      equal(`${r.status} ${r.body}`, '200 hello');
      c.close();
    });
    await freshet.settle();
    await cases.check('the answer counts from the end of the upload', async () => {
      const c = await begin('/silent', { 'Content-Length': 4, Incremental: '?1' }, 'ab');
      await freshet.advance('25s');
      await c.send('cd');
      await soon(() => last().endsWith('abcd'));
      await freshet.advance('15s');
      equal(await freshet.gauges().then((g) => g.fetches), 1);
      await freshet.advance('10s');
      const [r] = await c.answers();
      equal(r.status, 504);
      check(/detail=first-byte-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
      c.close();
    });
    await cases.check('an origin that does not take what comes is too slow', async () => {
      const c = connect();
      origin.server.once('connection', (s) => s.pause());
      await c.send(request('/', { 'Content-Length': 8 << 20 }, { method: 'POST' }));
      c.socket.write(Buffer.alloc(8 << 20));
      await soon(async () => {
        await freshet.advance('21s');
        return c.text !== '';
      });
      equal((await c.answers())[0].status, 504);
      c.close();
    });
  });
