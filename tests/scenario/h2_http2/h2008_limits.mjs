// What one client may have at once over HTTP/2 is what the settings say: streams, and both windows.
// scenarios S5
import { equal, gate, reply, scenario } from '../lib.mjs';
import { Frames } from '../h2.mjs';

const wait = gate();
const answer = () => wait.opened.then(() => reply('late', { 'CDN-Cache-Control': 'max-age=600' }));
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
  await cases.check('a stream too many is refused, the others go on', async () => {
    const ids = ['/a', '/b', '/c'].map((path) => c.request(path));
    equal((await c.whole(ids[2])).reset, 'REFUSED_STREAM');
    wait.open();
    for (const id of ids.slice(0, 2)) equal((await c.whole(id)).body, 'late');
  });
  c.close();
});
