// Bytes beyond the end of an answer that comes in pieces, together with its last one: who waits for the connection does not get them.
// scenarios F5, F6; hostile h1-21
import { check, equal, gate, scenario, request } from '../lib.mjs';

const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
const sizes = [1, 1000, 2047, 2048, 2049, 3000, 4096, 10_000, 16_384, 65_536, 65_537, 150_000];
let body, rest, chunked;

const answer = (r) => {
  const fields = `X-Page: ${r.target}\r\nCache-Control: no-store\r\n`;
  if (!r.target.startsWith('/long')) return `HTTP/1.1 200 OK\r\n${fields}Content-Length: 4\r\n\r\n${r.method === 'HEAD' ? '' : 'mine'}`;
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const coded = chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  return [`HTTP/1.1 200 OK\r\n${fields}${framing}\r\n\r\n`, rest.then(() => coded + extra)];
};

await scenario({ answer, flags: ['--origin-connections', '1'] }, async ({ connect, cases, freshet, origin }) => {
  let n = 0;
  for (chunked of [false, true]) for (const size of sizes) for (const method of ['HEAD', 'GET', 'POST']) {
    await cases.check(`${size} bytes${chunked ? ', chunked' : ''}, then ${method}`, async () => {
      const target = `/${++n}`;
      body = 'b'.repeat(size);
      const go = gate();
      rest = go.opened;
      const first = connect(), next = connect();
      await first.send(request(`/long${target}`));
      await first.when('the head', () => first.text.includes('\r\n\r\n'));
      await next.send(request(target, {}, { method }));
      await freshet.until('fetches', '==', 2);
      go.open();
      const [r] = await next.answers(1, [method]);
      equal(r.status, 200, 'the status');
      equal(r.fields['x-page'], target, 'whose answer it is');
      equal(r.body, method === 'HEAD' ? '' : 'mine', 'its body');
      const [long] = await first.answers();
      check(long.body === body, 'the long answer is not whole');
      equal(origin.sockets.size, 1, 'connections at the origin');
      first.close();
      next.close();
    });
  }
});
