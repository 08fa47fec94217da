// An origin that drips its body in chunks of one byte: every byte arrives, in order, soon.
// scenarios D10
// also over tls, h2
import { equal, scenario } from '../lib.mjs';

const text = 'one byte at a time, '.repeat(100);
const answer = () => ['HTTP/1.1 200 OK\r\nCache-Control: s-maxage=60\r\nTransfer-Encoding: chunked\r\n\r\n',
  ...[...text].map((c) => `1\r\n${c}\r\n`), '0\r\n\r\n'];
await scenario({ answer }, async ({ ask, cases }) => {
  await cases.check('to the first', async () => equal((await ask('/')).body, text));
  await cases.check('and from the cache', async () => equal((await ask('/')).body, text));
});
