// What one client may have at once over HTTP/2 is what the settings say: streams, and both windows.
// scenarios S5
import { equal, gate, reply, scenario } from '../lib.mjs';
import { Frames, frame, head, preface, settings, type } from '../h2.mjs';

const wait = gate();
const answer = (r) => (r.method === 'POST' ? reply(`got ${r.body.length}`) : wait.opened.then(() => reply('late', { 'CDN-Cache-Control': 'max-age=600' })));
const flags = ['--http2-clear', '--http2-streams', '2', '--http2-window', '8K', '--http2-connection-window', '96K'];
await scenario({ answer, flags }, async ({ cases }) => {
  const c = new Frames('front');
  await cases.check('the client is told', async () => {
    await c.when('SETTINGS', () => c.settings);
    equal(c.settings[3], 2); // MAX_CONCURRENT_STREAMS
    equal(c.settings[4], 8192); // INITIAL_WINDOW_SIZE
    await c.when('a larger window of the connection', () => c.frames.some((f) => f.type === 8 && f.id === 0));
    equal(c.frames.find((f) => f.type === 8 && f.id === 0).payload.readUInt32BE(0), 96 * 1024 - 65_535);
  });
  await cases.check('a body that begins before the client can know of the window is taken (RFC 9113 §6.9.3), and more of it when it is', async () => {
    const early = new Frames('front', { start: false });
    early.send(Buffer.concat([Buffer.from(preface), settings(), frame(type.HEADERS, 4, 1, head('/upload', {}, { method: 'POST' })),
      ...Array.from({ length: 3 }, () => frame(type.DATA, 0, 1, 'x'.repeat(16_384)))]));
    // It opens by halves.
    const opened = () => early.frames.filter((f) => f.type === type.WINDOW_UPDATE && f.id === 1).reduce((n, f) => n + f.payload.readUInt32BE(0), 0);
    await early.when('a window for more', () => opened() >= 3 * 16_384 - 4096);
    early.send(Buffer.concat([settings({}, 1), frame(type.DATA, 1, 1, 'x'.repeat(4096))]));
    equal((await early.whole(1)).body, `got ${3 * 16_384 + 4096}`);
    early.close();
  });
  await cases.check('a stream too many is refused, the others go on', async () => {
    const ids = ['/a', '/b', '/c'].map((path) => c.request(path));
    equal((await c.whole(ids[2])).reset, 'REFUSED_STREAM');
    wait.open();
    for (const id of ids.slice(0, 2)) equal((await c.whole(id)).body, 'late');
  });
  c.close();
});
