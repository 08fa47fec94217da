// Connections are spread evenly: whichever listener the kernel chose, of twelve each of three workers serves four.
// worker.c; none is lost when they come all at once, nor when some go and others come
import { equal, reply, scenario } from '../lib.mjs';

const get = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';

await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=60' }), flags: ['--workers', '3'] }, async ({ connect, cases, freshet }) => {
  const spread = async () => {
    const { text } = await freshet.api('GET', '/metrics');
    return [...text.matchAll(/^freshet_worker_connections_open\{worker="\d+"\} (\d+)$/gm)].map((m) => +m[1]);
  };
  const all = Array.from({ length: 12 }, connect);
  for (const c of all) {
    await c.send(get);
    equal((await c.answers())[0].body, 'x');
  }
  await cases.check('four each', async () => equal(String(await spread()), '4,4,4'));
  for (const c of all.splice(0, 6)) c.close();
  await freshet.until('connections', '==', 6);
  const more = Array.from({ length: 6 }, connect);
  for (const c of more) {
    await c.send(get);
    equal((await c.answers())[0].body, 'x');
  }
  await cases.check('and still four each', async () => equal(String(await spread()), '4,4,4'));
  for (const c of [...all, ...more]) c.close();
});
