// An origin that says more than its answer, together with the last bytes of it, while somebody waits for its only connection.
import { check, equal, gate, request, scenario, soon } from './lib.mjs';

const extra = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
const sizes = [1, 1000, 2047, 2048, 2049, 3000, 4096, 10_000, 16_384, 65_536, 65_537, 150_000];
let body, chunked, rest;

const answer = (r) => {
  const fields = `X-Page: ${r.target}\r\nCache-Control: no-store\r\n`;
  if (!r.target.startsWith('/long')) return `HTTP/1.1 200 OK\r\n${fields}Content-Length: 4\r\n\r\n${r.method === 'HEAD' ? '' : 'mine'}`;
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  const coded = chunked ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
  return [`HTTP/1.1 200 OK\r\n${fields}${framing}\r\n\r\n`, rest.then(() => coded + extra)];
};

// `secure`: see Origin.
export const surplus = ({ flags = [], secure } = {}) => scenario({ answer, secure, flags: ['--origin-connections', '1', ...flags] }, async ({ connect, cases, freshet, origin }) => {
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
      await soon(() => origin.sockets.size === 1); // the other one is closed
      first.close();
      next.close();
    });
  }
});
