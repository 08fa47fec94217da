// What is still being filled is nothing to revalidate: a fetch beside it, after a purge, asks without condition; when the first one is
// cut, nobody gets it as whole, and what is stored is the second.
// scenarios G7
// also over tls, h2
import { check, equal, hangup, reply, scenario, soon } from '../lib.mjs';

let release = null;
let n = 0;
const fields = { 'Cache-Control': 's-maxage=60', 'Cache-Tag': 't', ETag: '"e"' };
const answer = async (r) => {
  if (r.fields['if-none-match']) return 'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n';
  if (++n > 1) return reply('0123456789', fields);
  const whole = reply('0123456789', fields);
  return [whole.slice(0, -5), new Promise((go) => (release = () => go(hangup)))];
};
await scenario({ answer }, async ({ connect, ask, cases, freshet, origin }) => {
  const first = connect();
  await first.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
  await first.when('the first bytes', () => first.text.endsWith('01234'));
  await soon(() => release);
  equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["t"]}')).status, 202);
  const second = await ask('/');
  await cases.check('who comes after the purge', () => equal(second.body, '0123456789'));
  await cases.check('asked without condition', () => check(!origin.requests.some((r) => r.fields['if-none-match']), 'If-None-Match'));
  release();
  await first.closed();
  await cases.check('who came before gets no whole body', () => check(!first.text.includes('56789'), first.text));
  first.close();
  await freshet.settle();
  await cases.check('the whole one is stored', async () => equal((await ask('/')).body, '0123456789'));
  await cases.check('two requests', () => equal(origin.requests.length, 2));
});
