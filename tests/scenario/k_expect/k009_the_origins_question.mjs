// `Expect: 100-continue` is the origin's question: it hears it with the head, and the client is told to send its body when the origin says
// so, says nothing for `continue_timeout`, or the body begins by itself; a final answer before is the end, and the body is never asked for.
// CACHING.md 7; scenarios K1, K2, K4
import net from 'node:net';
import { check, equal, Raw, reply, request, scenario, soon } from '../lib.mjs';

// An origin whose every byte is in the test's hand: connections in the order in which they came.
const there = [];
const server = net.createServer((s) => {
  const c = { text: '', socket: s, ended: false };
  there.push(c);
  s.on('data', (d) => (c.text += d.toString('latin1')));
  for (const e of ['end', 'error', 'close']) s.on(e, () => (c.ended = true));
});
await new Promise((ok) => server.listen(0, '127.0.0.1', ok));
const url = `http://127.0.0.1:${server.address().port}`, go_on = 'HTTP/1.1 100 Continue\r\n\r\n';
const other = net.createServer((s) => s.on('error', () => {}).once('data', () => s.end('HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok')));
const old = []; // what an origin that speaks HTTP/1.0 was sent
other.on('connection', (s) => {
  const c = { text: '' };
  old.push(c);
  s.on('data', (d) => (c.text += d.toString('latin1')));
});
await new Promise((ok) => other.listen(0, '127.0.0.1', ok));

const yaml = () => `origin_idle_timeout: 1h\nbody_timeout: 10m\nsites:\n  one:\n    hosts: test\n    origin: ${url}\n  long:\n    hosts: long\n    origin: ${url}\n` +
  `    continue_timeout: 1m\n  never:\n    hosts: never\n    origin: ${url}\n    continue_timeout: 0\n` +
  `  old:\n    hosts: old\n    origin: http://127.0.0.1:${other.address().port}\n`;
await scenario({ yaml }, async ({ connect, cases, freshet }) => {
  const head = (more = 'Content-Length: 5\r\n', host = 'long', target = '/') =>
    `POST ${target} HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\n${more}\r\n`;
  const asks = async (text) => {
    const c = connect();
    await c.send(text);
    return c;
  };
  // The origin's connection that has a whole head behind byte `from`.
  const has_head = async (from = 0) => {
    const c = () => there.find((t) => !t.ended && t.text.indexOf('\r\n\r\n', from) >= 0);
    await soon(() => c());
    return c();
  };
  const statuses = (c) => c.responses().map((r) => r.status).join(' ');
  // Cases are apart: no connection to the origin is left.
  const apart = async (clients) => {
    for (const c of clients) c.close();
    for (const t of there) t.socket.destroy();
    await soon(() => there.every((t) => t.ended));
    await freshet.settle();
    await freshet.until('origin_connections', '==', 0);
    there.length = 0;
  };

  for (const [name, framing] of [['of a length', 'Content-Length: 5\r\n'], ['in chunks', 'Transfer-Encoding: chunked\r\n'], ['of a gigabyte', 'Content-Length: 1000000000\r\n']]) {
    for (const status of ['401 Unauthorized', '413 Content Too Large', '417 Expectation Failed', '200 OK']) {
      await cases.check(`refused with ${status}, a body ${name}`, async () => {
        const c = await asks(head(framing)), t = await has_head();
        check(/^Expect: 100-continue\r$/m.test(t.text), `the origin was not asked: ${t.text}`);
        t.socket.write(reply('no', {}, status));
        equal((await c.answers())[0].status, +status.slice(0, 3));
        equal(c.responses().length, 1, 'answers');
        equal(c.responses()[0].fields.connection, 'close');
        await soon(() => t.ended);
        equal(t.text.split('\r\n\r\n')[1], '', 'what the origin got of the body');
        await apart([c]);
      });
    }
  }
  await cases.check('told to go on: both connections are used again', async () => {
    const c = await asks(head()), t = await has_head();
    check(c.text === '', `it was not waited for: ${c.text}`);
    t.socket.write(go_on);
    await c.when('100', () => c.text === go_on);
    await c.send('hello');
    await soon(() => t.text.endsWith('\r\n\r\nhello'));
    t.socket.write(reply('first'));
    equal((await c.answers())[1].body, 'first');
    const from = t.text.length;
    await c.send(request('/next', { Host: 'long' }));
    await has_head(from);
    t.socket.write(reply('second'));
    equal((await c.answers(2)).at(-1).body, 'second');
    equal(statuses(c), '100 200 200');
    equal(there.length, 1, 'connections to the origin');
    await apart([c]);
  });
  await cases.check('other interim answers come in front of it, a second 100 does not', async () => {
    const c = await asks(head('Transfer-Encoding: chunked\r\n')), t = await has_head();
    t.socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    await c.when('103', () => c.text.includes(' 103 '));
    t.socket.write(go_on);
    await c.when('100', () => c.text.includes(' 100 '));
    await c.send('5\r\nhello\r\n0\r\n\r\n');
    await soon(() => t.text.endsWith('\r\n\r\n5\r\nhello\r\n0\r\n\r\n'));
    t.socket.write(go_on + reply('made'));
    await c.answers();
    equal(statuses(c), '103 100 200');
    await apart([c]);
  });
  await cases.check('an origin that says nothing: after continue_timeout', async () => {
    const c = await asks(head()), t = await has_head();
    await freshet.advance('59s');
    await freshet.until('requests', '==', 1);
    check(c.text === '', 'too early');
    await freshet.advance('1s');
    await c.when('100', () => c.text === go_on);
    await c.send('hello');
    await soon(() => t.text.endsWith('\r\n\r\nhello'));
    t.socket.write(reply('made'));
    equal((await c.answers()).at(-1).body, 'made');
    await apart([c]);
  });
  await cases.check('a second when nothing is set', async () => {
    const c = await asks(head(undefined, 'test')), t = await has_head();
    await freshet.advance('1s');
    await c.when('100', () => c.text === go_on);
    await c.send('hello');
    await soon(() => t.text.endsWith('\r\n\r\nhello'));
    await apart([c]);
  });
  await cases.check('who sends all at once: the origin is not asked', async () => {
    const c = await asks(head() + 'hello'), t = await has_head();
    await soon(() => t.text.endsWith('\r\n\r\nhello'));
    check(!/^expect:/im.test(t.text), t.text);
    t.socket.write(reply('made'));
    await c.answers();
    equal(statuses(c), '200');
    await apart([c]);
  });
  for (const [name, framing, pieces, whole] of [['of a length', 'Content-Length: 5\r\n', ['h', 'ello'], 'hello'],
    ['in chunks', 'Transfer-Encoding: chunked\r\n', ['5', '\r\nhello\r\n0\r\n\r\n'], '5\r\nhello\r\n0\r\n\r\n']]) {
    await cases.check(`who does not wait long: a body ${name} goes on as it comes`, async () => {
      const c = await asks(head(framing)), t = await has_head();
      await c.send(pieces[0]);
      await freshet.until('requests', '==', 1);
      await freshet.advance('2m'); // neither the time limit nor that of the origin ends it
      await c.send(pieces[1]);
      await soon(() => t.text.endsWith(`\r\n\r\n${whole}`));
      t.socket.write(go_on + reply('made'));
      await c.answers();
      check(/^(100 )?200$/.test(statuses(c)), statuses(c));
      await apart([c]);
    });
  }
  await cases.check('an answer that comes first, and a body that comes all the same', async () => {
    const c = await asks(head('Content-Length: 3000000\r\n')), t = await has_head();
    t.socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n${'a'.repeat(1_500_000)}`);
    await c.when('the head', () => c.text.includes('\r\n\r\n'));
    await c.send('b'.repeat(3_000_000));
    t.socket.write('a'.repeat(1_500_000));
    equal((await c.answers())[0].body.length, 3_000_000);
    check(t.text.endsWith('\r\n\r\n'), 'the origin got some of it');
    await apart([c]);
  });
  await cases.check('never asked with continue_timeout: 0', async () => {
    const c = await asks(head(undefined, 'never'));
    await c.when('100', () => c.text === go_on);
    await c.send('hello');
    const t = await has_head();
    await soon(() => t.text.endsWith('\r\n\r\nhello'));
    check(!/^expect:/im.test(t.text), t.text);
    await apart([c]);
  });
  await cases.check('nor is an origin that speaks HTTP/1.0, once that is known', async () => {
    equal((await (await asks(request('/', { Host: 'old' }))).answers())[0].body, 'ok');
    const c = await asks(head(undefined, 'old'));
    await c.when('100', () => c.text.startsWith(go_on));
    await c.send('hello');
    equal((await c.answers()).at(-1).body, 'ok');
    check(!/^expect:/im.test(old.at(-1).text), old.at(-1).text);
    await apart([c]);
  });
  await cases.check('an origin that closes: 502, and no 100', async () => {
    const c = await asks(head()), t = await has_head();
    t.socket.end();
    equal((await c.answers())[0].status, 502);
    await apart([c]);
  });
  await cases.check('a client that leaves', async () => {
    const c = await asks(head()), t = await has_head();
    c.close();
    await soon(() => t.ended);
    equal(t.text.split('\r\n\r\n')[1], '');
    await apart([]);
  });
  await cases.check('one that ends its side cannot send what it announced', async () => {
    for (const framing of ['Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const c = await asks(head(framing)), t = await has_head();
      c.socket.end();
      t.socket.write(go_on);
      await c.closed();
      await soon(() => t.ended);
      equal(t.text.split('\r\n\r\n')[1], '');
      await apart([c]);
    }
  });
  await cases.check('101 without a 100: the body goes first', async () => {
    const c = await asks(head('Content-Length: 5\r\nConnection: upgrade\r\nUpgrade: tcp\r\n')), t = await has_head();
    t.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\nraw');
    await c.when('100', () => c.text === go_on);
    await c.send('hello');
    await c.when('the tunnel', () => c.text.endsWith('\r\n\r\nraw'));
    check(/ 101 /.test(c.text), c.text);
    await soon(() => t.text.endsWith('\r\n\r\nhello')); // the two sockets are read in either order
    await apart([c]);
  });
  server.close();
  other.close();
});
