// The client of an answer that is not stored leaves: the origin's transfer stops and its connection is not used again.
// scenarios E2, E6
import { check, equal, reply, scenario, soon } from '../lib.mjs';

let ended = 0;
const answer = (r) => (r.target === '/next' ? reply('next') :
  'HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 100000000\r\n\r\n' + 'x'.repeat(300_000));
await scenario({ answer }, async ({ connect, ask, cases, freshet, origin }) => {
  const c = connect();
  await c.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await c.when('bytes', () => c.text.length > 1000);
  const [socket] = origin.sockets;
  socket.on('close', () => ended++);
  c.close();
  await cases.check('the fetch ends', () => freshet.settle());
  await cases.check('the origin sees it', async () => {
    await soon(() => ended !== 0);
  });
  await cases.check('another connection for the next', async () => equal((await ask('/next')).body, 'next'));
  await cases.check('not the old one', () => check(!origin.sockets.has(socket), 'still open'));

  // The same in the middle of an upload: the origin must not take the next request for the rest of it.
  const u = connect();
  await u.send('POST /up HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nhalf');
  await freshet.until('fetches', '==', 1);
  const before = new Set(origin.sockets);
  u.close();
  await cases.check('the upload ends', () => freshet.settle());
  await cases.check('and the next is not its rest', async () => equal((await ask('/next')).body, 'next'));
  await cases.check('whole requests only', () => check(origin.requests.every((r) => r.target !== '/up'), 'half an upload counted'));
  await cases.check('on a connection of its own', () => check([...origin.sockets].some((s) => !before.has(s)) || before.size > 1, 'reused'));
});
