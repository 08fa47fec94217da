// A connection of HTTP/2 ends in two steps (RFC 9113 §6.8): GOAWAY that names no stream, then one that names the last; open streams go on,
// and requests that were on their way are answered. So at the stop, after keepalive_requests, and when another freshet takes over; an idle
// one ends with one step.
// scenarios V6; hostile h2-15
import { check, equal, gate, reply, scenario } from '../lib.mjs';
import { Frames, frame, head, ping, type } from '../h2.mjs';

const waits = { '/late': gate(), '/later': gate() };
const answer = (r) => (waits[r.target] ? waits[r.target].opened.then(() => reply('late')) : reply('x', { 'CDN-Cache-Control': 'max-age=600' }));
const flags = ['--http2-clear', '--keepalive-requests', '5', '--idle-timeout', '60s', '--header-timeout', '10s'];
await scenario({ answer, flags }, async ({ cases, freshet }) => {
  const connect = (options) => new Frames('front', options);
  await cases.check('after keepalive_requests', async () => {
    const c = connect();
    const late = c.request('/late');
    for (let i = 0; i < 4; i++) equal((await c.get('/')).status, 200);
    await c.when('GOAWAY and PING', () => c.goaway.length === 1 && c.asked);
    equal(c.goaway[0].last, 0x7fffffff);
    equal(c.goaway[0].code, 'NO_ERROR');
    equal((await c.get('/')).status, 200, 'one that was on its way');
    c.send(Buffer.concat([frame(type.PING, 1, 0, c.frames.find((f) => f.type === type.PING && !(f.flags & 1)).payload)]));
    await c.when('the last GOAWAY', () => c.goaway.length === 2);
    equal(c.goaway[1].last, 11);
    const ignored = c.request('/');
    await c.pong();
    equal(c.streams[ignored], undefined);
    waits['/late'].open();
    equal((await c.whole(late)).body, 'late');
    await c.closed();
  });
  await cases.check('idle: PINGs do not keep it', async () => {
    const c = connect();
    await c.get('/');
    await freshet.advance('30s');
    await c.pong();
    await freshet.meanwhile('10s', () => c.goaway.length);
    await c.closed();
    equal(c.goaway[0].last, 1);
    equal(c.goaway[0].code, 'NO_ERROR');
  });
  await cases.check('one that never asks', async () => {
    const c = connect();
    await c.when('SETTINGS', () => c.settings);
    await freshet.meanwhile('4s', () => c.goaway.length);
    await c.closed();
    const silent = connect({ start: false }); // not even the preface
    await freshet.until('connections', '==', 1);
    await freshet.meanwhile('4s', () => silent.ended);
  });
  await cases.check('a client that leaves', async () => {
    const c = connect();
    await c.get('/');
    c.send(frame(type.GOAWAY, 0, 0, Buffer.alloc(8)));
    await c.pong();
    await freshet.meanwhile('1s', () => c.ended);
  });
  await cases.check('a client that is gone takes its requests with it', async () => {
    const c = connect();
    c.request('/never', {}, { method: 'POST', ends: false });
    await freshet.until('requests_open', '==', 1);
    c.close();
    await freshet.until('requests_open', '==', 0);
  });
  await cases.check('the stop', async () => {
    const c = connect(), idle = connect();
    await idle.get('/');
    const late = c.request('/later');
    await freshet.until('fetches', '==', 1);
    freshet.signal('TERM');
    await c.when('GOAWAY and PING', () => c.goaway.length === 1 && c.asked);
    equal(c.goaway[0].last, 0x7fffffff);
    const more = c.request('/');
    c.send(Buffer.concat([frame(type.PING, 1, 0, 'freshet\0')]));
    equal((await c.whole(more)).status, 200);
    await c.when('the last GOAWAY', () => c.goaway.length === 2);
    equal(c.goaway[1].last, more);
    waits['/later'].open();
    equal((await c.whole(late)).body, 'late');
    await c.closed();
    await idle.closed();
    equal(idle.goaway.length, 2);
    equal(await freshet.status(), '0');
    freshet.note('ended', 'TERM');
  });
});
