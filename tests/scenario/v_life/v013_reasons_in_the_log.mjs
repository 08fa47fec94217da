// The access log says of each request what the look-up answered and why it was not stored or not whole, as Cache-Status does.
// CACHING.md 6.5
import fs from 'node:fs';
import { equal, reply, request, scenario, soon } from '../lib.mjs';

const page = (r) => {
  switch (r.target) {
    case '/private': return reply('x', { 'Cache-Control': 'private' });
    case '/pause': return 'HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100\r\n\r\nhalf';
    case '/silent': return null;
    default: return reply('page', { 'Cache-Control': 's-maxage=100, stale-while-revalidate=1000' });
  }
};
const flags = ['--access-log', 'access', '--between-bytes-timeout', '10s'];
await scenario({ answer: page, flags }, async ({ ask, connect, cases, freshet }) => {
  let seen = 0;
  const record = async () => {
    const lines = () => (fs.existsSync('access') ? fs.readFileSync('access', 'utf8').split('\n').slice(0, -1) : []);
    await freshet.settle();
    await freshet.advance('1s'); // what is buffered is written
    await soon(() => lines().length > seen);
    equal(lines().length, ++seen, 'records');
    return JSON.parse(lines().at(-1));
  };
  // The record of the latest request: status, cache, reason.
  const said = async (status, cache, reason) => {
    const r = await record();
    equal(`${r.status} ${r.cache} reason=${r.reason}`, `${status} ${cache} ${reason}`);
  };
  const asked = (target, fields, options, words) => cases.check(words.join(' '), async () => {
    await ask(target, fields, options);
    await said(...words);
  });
  await asked('/', {}, {}, [200, 'miss', 'reason=']);
  await asked('/', {}, {}, [200, 'hit', 'reason=']);
  await asked('/private', {}, {}, [200, 'miss', 'reason=private']);
  await asked('/other', {}, { method: 'HEAD' }, [200, 'pass', 'reason=method']);
  await asked('/', {}, { method: 'POST', body: 'x' }, [200, 'pass', 'reason=method']);
  await asked('/body', {}, { body: 'x' }, [200, 'pass', 'reason=request-body']);
  await asked('/none', { 'Cache-Control': 'only-if-cached' }, {}, [504, 'pass', 'reason=only-if-cached']);
  await asked('/a%zz', {}, {}, [400, 'none', 'reason=bad-request']);
  await asked('/stale', {}, {}, [200, 'miss', 'reason=']);
  await freshet.advance('150s');
  await asked('/stale', {}, {}, [200, 'stale', 'reason=refreshing']);
  await freshet.settle();

  // What is cut short: the head that was sent says nothing of it.
  const pause = connect();
  await pause.send(request('/pause'));
  await pause.when('half', () => pause.text.endsWith('half'));
  await freshet.advance('11s');
  await pause.closed();
  await cases.check('an origin that pauses', () => said(200, 'miss', 'reason=between-bytes-timeout'));
  const gone = connect();
  await gone.send(request('/silent'));
  await freshet.until('fetches', '==', 1);
  gone.close();
  await freshet.until('requests_open', '==', 0);
  await freshet.advance('5m'); // its fetch went on, to be stored
  await cases.check('a client that leaves', () => said(0, 'miss', 'reason=client-gone'));
});
