// Connections are spread evenly: whichever listener the kernel chose, of twelve each of three workers serves four.
// worker.c; none is lost when they come all at once, nor when some go and others come
import { check, equal, reply, scenario } from '../lib.mjs';

const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';

await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=60' }), flags: ['--workers', '3'] }, async ({ connect, cases, freshet }) => {
  const spread = async () => {
    const { text } = await freshet.api('GET', '/metrics');
    return [...text.matchAll(/^freshet_worker_connections_open\{worker="\d+"\} (\d+)$/gm)].map((m) => +m[1]);
  };
  const ask = async (c) => {
    await c.send(get);
    equal((await c.answers())[0].body, 'x');
    return c;
  };
  // One after the other: each worker knows of all connections that were answered.
  const come = async (n) => {
    const clients = [];
    while (clients.length < n) clients.push(await ask(connect()));
    return clients;
  };
  const all = await come(12);
  await cases.check('four each', async () => equal(String(await spread()), '4,4,4'));
  for (const c of all.splice(0, 6)) c.close();
  await freshet.until('connections', '==', 6);
  all.push(...await come(6));
  await cases.check('and still four each', async () => equal(String(await spread()), '4,4,4'));
  for (const c of all.splice(0)) c.close();
  await freshet.until('connections', '==', 0);
  // Two workers may hand over to the same third one before it says so: then one has two more than another.
  for (const c of Array.from({ length: 12 }, connect)) all.push(c);
  for (const c of all) await ask(c);
  await cases.check('all at once: none is lost, and nobody has many more', async () => {
    const each = await spread();
    equal(each.reduce((a, b) => a + b), 12);
    check(Math.min(...each) >= 2, String(each));
  });
  for (const c of all) c.close();
});
