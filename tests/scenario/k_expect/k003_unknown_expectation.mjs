// Another Expect is 417; an obfuscated one never makes freshet and a client disagree about where a request ends.
// scenarios K3, K9
import { check, equal, reply, scenario } from '../lib.mjs';

await scenario({ answer: (r) => reply(`${r.method} ${r.target} ${r.body}`) }, async ({ connect, cases, origin }) => {
  for (const value of ['x', '100-continue, x', 'y 100-continue', '200-ok', '100-continue=1', '"100-continue"']) {
    await cases.check(`Expect: ${value}`, async () => {
      const before = origin.requests.length;
      const c = connect();
      await c.send(`POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 34\r\nExpect: ${value}\r\n\r\n`);
      const [r] = await c.answers();
      equal(r.status, 417);
      await c.send('GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n\r\n');
      await c.closed();
      check(!c.text.includes('/evil'), 'the body was taken for a request');
      equal(origin.requests.length, before, 'requests at the origin');
      c.close();
    });
  }
  for (const line of [' Expect: 100-continue', 'Expect : 100-continue', 'Expect:\r\n 100-continue', 'Expect\t: 100-continue']) {
    await cases.check(JSON.stringify(line), async () => {
      const before = origin.requests.length;
      const c = connect();
      await c.send(`POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 34\r\n${line}\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n\r\n`);
      await c.closed();
      equal(c.responses()[0].status, 400);
      equal(c.responses().length, 1, 'answers');
      equal(origin.requests.length, before, 'requests at the origin');
      c.close();
    });
  }
  await cases.check('on a GET without a body it is nothing', async () => {
    const c = connect();
    await c.send('GET /g HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\n\r\n');
    equal((await c.answers()).at(-1).body, 'GET /g ');
    c.close();
  });
  await cases.check('HTTP/1.0 never gets a 100', async () => {
    const c = connect();
    await c.send('POST /p HTTP/1.0\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi');
    equal((await c.answers())[0].body, 'POST /p hi');
    c.close();
  });
});
