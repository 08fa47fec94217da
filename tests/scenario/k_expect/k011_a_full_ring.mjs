// An answer that comes while a part of the upload waits for room is whole, and what is left is read over: the next request on
// the connection is answered, unless it is told to close.
// CACHING.md 6.7, scenarios K4; hostile h0-03
import { deaf, equal, request, scenario } from '../lib.mjs';

const ring = 65_536, size = ring + 5_000;
const origin = await deaf(); // nothing of the upload goes on
const yaml = () => `origin: http://${origin.host}:${origin.port}\nconnect_timeout: 5s\n`;
const head = (framing) => `POST / HTTP/1.1\r\nHost: test\r\n${framing}\r\n\r\n`;
const body = 'x'.repeat(size);
await scenario({ yaml }, async ({ cases, freshet, connect }) => {
  const follows = async (upload) => {
    const before = (await freshet.gauges()).request_body_bytes_total;
    const c = connect();
    await c.send(upload);
    await freshet.until('request_body_bytes_total', '>=', before + ring + 1); // one byte has no room
    await freshet.advance('6s');
    const [late] = await c.answers();
    equal(late.status, 504);
    if (late.fields.connection === 'close') return c.closed();
    await c.send(request('/', { Host: 'unknown host' }));
    equal((await c.answers(2))[1].status, 400);
    c.close();
  };
  await cases.check('with a length', () => follows(head(`Content-Length: ${size}`) + body));
  await cases.check('in chunks', () => follows(`${head('Transfer-Encoding: chunked')}${size.toString(16)}\r\n${body}\r\n0\r\n\r\n`));
});
await origin.close();
