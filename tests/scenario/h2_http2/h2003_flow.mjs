// HTTP/2's flow control holds both ways: an upload goes no faster than the origin takes it, an answer no faster than the client lets it, and
// one that is not let at all ends. What is more urgent comes first (RFC 9218).
// scenarios S5
import { check, equal, gate, reply, scenario } from '../lib.mjs';
import { Frames, frame, type, window_update } from '../h2.mjs';

const body = Array.from({ length: 20_000 }, (_, i) => `line ${i}\n`).join('');
const wait = gate();
const answer = (r) => {
  if (r.method === 'POST') return reply(`got ${r.body.length}`);
  if (r.target.startsWith('/late')) return wait.opened.then(() => reply('late'));
  return reply(r.target.startsWith('/small') ? 'small' : body, { 'CDN-Cache-Control': 'max-age=600', ...(r.target === '/urgent' ? { Priority: 'u=0' } : {}) });
};
await scenario({ answer, flags: ['--http2-clear', '--send-timeout', '20s', '--body-timeout', '20s', '--origin-connections', '4'] }, async ({ ask, cases, freshet, origin }) => {
  const connect = (options) => new Frames('front', options);
  const alone = { opens: false };
  for (const path of ['/page', '/page2', '/urgent', '/small', '/small2']) await ask(path);
  await cases.check('an answer stops at the stream\'s window and goes on with it', async () => {
    const c = connect({ ...alone, values: { 4: 1000 } });
    const id = c.request('/page');
    await c.when('the window', () => c.streams[id]?.bytes === 1000);
    await c.pong();
    equal(c.stream(id).bytes, 1000);
    c.send(window_update(id, 1500));
    await c.when('more', () => c.streams[id].bytes === 2500);
    // A setting changes the windows of open streams.
    c.send(frame(type.SETTINGS, 0, 0, Buffer.from([0, 4, 0, 0, 0x10, 0])));
    await c.when('more', () => c.streams[id].bytes === 2500 + 4096 - 1000);
    c.send(window_update(id, 1_000_000));
    await c.when('the connection\'s window', () => c.streams[id].bytes === 65_535);
    c.send(window_update(0, 1_000_000));
    await c.whole(id);
    check(c.stream(id).body === body, 'the bytes');
    c.close();
  });
  await cases.check('a stream that may not send holds up no other', async () => {
    const c = connect({ ...alone, values: { 4: 0 } });
    const shut = c.request('/page'), open = c.request('/small');
    c.send(window_update(open, 100));
    equal((await c.whole(open)).body, 'small');
    equal(c.stream(shut).bytes, 0);
    equal(c.stream(shut).status, 200);
    c.close();
  });
  await cases.check('a stream that the client never lets send is reset, and the connection goes on', async () => {
    const c = connect({ ...alone, values: { 4: 0 } });
    const id = c.request('/page');
    await c.when('the head', () => c.streams[id]?.status === 200);
    await freshet.meanwhile('5s', () => c.stream(id).reset);
    equal(c.stream(id).reset, 'CANCEL');
    c.request('/small');
    await c.pong();
    equal(c.goaway.length, 0);
    c.close();
  });
  await cases.check('a client that reads nothing is cut off', async () => {
    const c = connect({ values: { 4: 0x7fffffff } });
    c.send(window_update(0, 0x7fff0000 - 65535));
    c.socket.pause();
    for (let i = 0; i < 60; i++) c.request('/page');
    await freshet.until('requests_open', '>', 0);
    await freshet.meanwhile('5s', async () => (await freshet.gauges()).requests_open === 0);
    c.close();
  });
  await cases.check('a client that reads no answers to its PINGs is cut off', async () => {
    const c = connect();
    c.socket.pause();
    const many = Buffer.concat(Array.from({ length: 60 }, () => frame(type.PING, 0, 0, '12345678')));
    c.send(many);
    await freshet.until('connections', '>=', 1);
    c.close();
  });
  await cases.check('an upload has the window, and more only when it has a place', async () => {
    const c = connect();
    const id = c.request('/late', {}, { method: 'GET', ends: true });
    const up = c.request('/up', {}, { method: 'POST', ends: false });
    await c.data(up, 16_384);
    await c.data(up, 16_384);
    await c.data(up, 16_384);
    await c.when('a window for more', () => c.frames.some((f) => f.type === type.WINDOW_UPDATE && f.id === up));
    await c.data(up, 10, true);
    equal((await c.whole(up)).body, `got ${3 * 16_384 + 10}`);
    c.send(frame(type.RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8])));
    await c.pong();
    c.close();
  });
  await cases.check('a body that does not come ends its stream alone', async () => {
    const c = connect();
    const up = c.request('/up', {}, { method: 'POST', ends: false });
    await c.data(up, 5);
    await freshet.until('fetches', '>=', 1);
    await freshet.meanwhile('5s', () => c.stream(up).reset);
    equal(c.stream(up).reset, 'CANCEL');
    equal((await c.get('/small')).body, 'small');
    c.close();
  });
  await cases.check('more urgent answers come first, others of their kind in their order, incremental ones by turns', async () => {
    const c = connect({ ...alone, values: { 4: 0x7fffffff } });
    const [low, first, second, urgent] = [['/page', 'u=6'], ['/page', 'u=3'], ['/page2', 'u=3'], ['/page2', 'u=0']].map(([p, u]) => c.request(p, { priority: u }));
    await c.when('all heads', () => [low, first, second, urgent].every((id) => c.streams[id]?.status));
    await c.when('the window', () => c.frames.filter((f) => f.type === type.DATA).reduce((n, f) => n + f.n, 0) === 65_535);
    const from = c.frames.length;
    c.send(frame(type.PRIORITY_UPDATE, 0, 0, Buffer.concat([Buffer.from([0, 0, 0, second]), Buffer.from('u=1')])));
    await c.pong();
    c.send(window_update(0, 2_000_000));
    for (const id of [low, first, second, urgent]) await c.whole(id);
    const order = [...new Set(c.frames.slice(from).filter((f) => f.type === type.DATA).map((f) => f.id))];
    const rest = order.filter((id) => id !== low || order.indexOf(low) > 0);
    equal(rest.join(), [urgent, second, first, low].filter((id) => order.includes(id)).join(), 'the order');
    c.close();
    const d = connect({ ...alone, values: { 4: 0x7fffffff } });
    const turns = ['/page', '/page2'].map((p) => d.request(p, { priority: 'i' }));
    await d.when('the window', () => turns.reduce((n, id) => n + (d.streams[id]?.bytes ?? 0), 0) === 65_535);
    d.send(window_update(0, 200_000));
    await d.when('more', () => turns.reduce((n, id) => n + d.streams[id].bytes, 0) === 265_535);
    const [a, b] = turns.map((id) => d.stream(id).bytes);
    check(Math.abs(a - b) < 120_000 && a && b, `${a} and ${b} bytes`);
    d.close();
  });
  await cases.check('the origin may say that its answer is urgent (RFC 9218 §8)', async () => {
    for (const turn of ['one that is asked for first', 'one that is asked for again', 'one whose block is kept']) {
      const c = connect({ ...alone, values: { 4: 0x7fffffff } });
      const [usual, urgent] = ['/page', '/urgent'].map((p) => c.request(p));
      await c.when('both heads, and the window', () => c.streams[urgent]?.status && c.stream(usual).bytes + c.stream(urgent).bytes === 65_535);
      const before = c.stream(usual).bytes;
      c.send(window_update(0, 100_000));
      await c.when('the window', () => c.stream(usual).bytes + c.stream(urgent).bytes === 165_535);
      equal(c.stream(usual).bytes, before, turn);
      equal(c.stream(urgent).fields.priority, 'u=0');
      c.close();
    }
  });
  await cases.check('a body whose length was told is whole with its last byte: the origin\'s connection is kept, whenever the stream ends', async () => {
    const c = connect();
    await c.whole(c.request('/first', {}, { method: 'POST' }));
    const connections = origin.sockets.size;
    for (let i = 0; i < 3; i++) {
      const up = c.request('/up', { 'content-length': '5' }, { method: 'POST', ends: false });
      await c.data(up, 5);
      await c.whole(up);
      equal(c.stream(up).body, 'got 5');
      await c.data(up, 0, true);
    }
    await c.pong();
    equal(c.goaway.length, 0);
    equal(origin.sockets.size, connections, 'connections to the origin');
    c.close();
  });
  await cases.check('who sends more than the window is reset', async () => {
    const c = connect();
    for (let i = 0; i < 4; i++) c.request(`/late/${i}`); // they have all connections to the origin
    await freshet.until('origin_connections', '==', 4);
    const up = c.request('/up', {}, { method: 'PUT', ends: false });
    for (let i = 0; i < 12; i++) c.data(up, 16_384);
    await c.whole(up);
    equal(c.stream(up).reset, 'FLOW_CONTROL_ERROR');
    equal((await c.get('/small')).body, 'small');
    wait.open();
    c.close();
  });
  await freshet.until('connections', '==', 0, 'requests_open', '==', 0);
});
