// Requests in one segment are answered in their order, whatever they are, at every split of their bytes.
// scenarios N1, N12
import { equal, reply, scenario } from '../lib.mjs';

const answer = (r) => reply(`${r.method} ${r.target} ${r.body}`, r.target.startsWith('/s') ? { 'Cache-Control': 'max-age=60' } : {});
const text = 'GET /s1 HTTP/1.1\r\nHost: test\r\n\r\nPOST /p HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello' +
  'HEAD /s1 HTTP/1.1\r\nHost: test\r\n\r\nGET /s1 HTTP/1.1\r\nHost: test\r\n\r\nPUT /q HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n' +
  'GET /n HTTP/1.1\r\nHost: test\r\n\r\n';
const methods = ['GET', 'POST', 'HEAD', 'GET', 'PUT', 'GET'];
const bodies = 'GET /s1 |POST /p hello||GET /s1 |PUT /q abc|GET /n ';
await scenario({ answer }, async ({ connect, cases }) => {
  await cases.check('in one segment', async () => {
    const c = connect();
    await c.send(text);
    equal((await c.answers(6, methods)).map((r) => r.body).join('|'), bodies);
    c.close();
  });
  for (let cut = 1; cut < text.length; cut++) {
    await cases.check(`cut at ${cut}`, async () => {
      const c = connect();
      await c.send(text.slice(0, cut));
      await new Promise(setImmediate);
      await c.send(text.slice(cut));
      equal((await c.answers(6, methods)).map((r) => r.body).join('|'), bodies);
      c.close();
    });
  }
  await cases.check('byte by byte', async () => {
    const c = connect();
    for (const b of text) await c.send(b);
    equal((await c.answers(6, methods)).map((r) => r.body).join('|'), bodies);
    c.close();
  });
  await cases.check('the end in the middle of a head', async () => {
    const c = connect();
    await c.send('GET /s1 HTTP/1.1\r\nHos');
    c.socket.end();
    await c.closed();
    equal(c.responses().filter((r) => r.status < 400).length, 0);
  });
});
