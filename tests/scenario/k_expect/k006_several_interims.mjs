// Interim responses that come together are all passed on, in order, however busy the loop is; the final one follows.
// CACHING.md 7; scenarios K5
import { equal, scenario } from '../lib.mjs';

const n = 40;
const answer = () => ['HTTP/1.1 102 \r\n\r\nHTTP/1.1 103 \r\nLink: <a>\r\n\r\nHTTP/1.1 103 \r\nLink: <b>\r\n\r\n' +
  'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok'];

await scenario({ answer }, async ({ connect, cases }) => {
  const clients = Array.from({ length: n }, connect);
  await Promise.all(clients.map((c, i) => c.send(`GET /${i} HTTP/1.1\r\nHost: test\r\n\r\n`)));
  for (const [i, c] of clients.entries()) {
    await cases.check(`client ${i}`, async () => {
      await c.when('the final answer', () => c.text.endsWith('\r\n\r\nok'));
      equal([...c.text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((m) => m[1]).join(' '), '102 103 103 200');
      equal([...c.text.matchAll(/^Link: (.*)\r$/gm)].map((m) => m[1]).join(' '), '<a> <b>');
    });
    c.close();
  }
});
