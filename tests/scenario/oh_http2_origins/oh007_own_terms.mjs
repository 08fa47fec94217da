// Who shares a connection to an HTTP/2 origin keeps his own terms: who waits for one that is made for another gives up when his own connect_timeout is
// over, and the limits for heads are those of his site as they are now, also on a connection that was there before a reload.
// CACHING.md 3.5; scenarios F16
import fs from 'node:fs';
import { answer_data as data, answer_head as head, FrameOrigin } from '../h2.mjs';
import { check, equal, scenario, soon } from '../lib.mjs';

const origin = await new FrameOrigin().listen(), { made, seen } = origin;
const yaml = (limit = '4K') => `workers: 1
origin: ${origin.url}
origin_http2: only
response_header_bytes: ${limit}
sites:
  long:
    hosts: [long]
    connect_timeout: 60s
  short:
    hosts: [short]
    connect_timeout: 2s
  ten:
    hosts: [ten]
    connect_timeout: 10s
  again:
    hosts: [again]
    connect_timeout: 2s
    origin_retry: 5m`;
const say = (r, fields = []) => r.on.send([head(r.id, [['cache-control', 'no-store'], ...fields]), data(r.id, r.name)]);
const large = (r) => say(r, [['x-1', 'l'.repeat(5000)], ['x-2', 'l'.repeat(5000)]]);
const held = [], hold = (r) => held.push(r);

await scenario({ yaml: () => yaml() }, async ({ ask, cases, connect, freshet }) => {
  const get = (host, target) => ask(target, { Host: host });
  const afresh = async () => {
    await freshet.settle();
    await freshet.advance('2m');
    await freshet.until('origin_connections', '==', 0);
    made.length = seen.length = held.length = 0;
    origin.mute = false;
    origin.answer = say;
  };
  await cases.check('who joined one with more time gives up after his own, and that one goes on', async () => {
    await afresh();
    origin.mute = true;
    const leader = get('long', '/leader');
    await soon(() => made.length === 1);
    const joined = get('short', '/joined');
    await freshet.until('fetches', '==', 2);
    await freshet.advance('3s');
    const r = await joined;
    equal(r.status, 504);
    check(/detail=connect-timeout/.test(r.fields['cache-status']), r.fields['cache-status']);
    await freshet.until('fetches', '==', 1);
    made[0].speak();
    equal((await leader).body, 'leader');
    equal(made.length, 1);
  });
  // Who joined one that left after 6 of his 10 seconds; now it is he who makes a connection.
  const takeover = async () => {
    await afresh();
    origin.mute = true;
    const leader = connect();
    await leader.send('POST /leader HTTP/1.1\r\nHost: ten\r\nContent-Length: 0\r\n\r\n');
    await soon(() => made.length === 1);
    const joined = get('ten', '/joined');
    await freshet.until('fetches', '==', 2);
    await freshet.advance('6s');
    leader.close();
    await soon(() => made.length === 2);
    return { answer: joined };
  };
  await cases.check('who takes over from one who left has what is left of his time', async () => {
    const joined = await takeover();
    await freshet.advance('5s');
    equal((await joined.answer).status, 504);
  });
  await cases.check('and is served when the origin speaks in time', async () => {
    const joined = await takeover();
    await freshet.advance('3s');
    made[1].speak();
    equal((await joined.answer).body, 'joined');
  });
  await cases.check('while the origin refuses connections he waits as long as he would have tried', async () => {
    await afresh();
    await origin.close();
    const before = (await freshet.gauges()).origin_retries_total, all = [get('again', '/1'), get('again', '/2'), get('again', '/3')];
    await freshet.until('fetches', '==', 3, 'origin_retries_total', '>', before);
    await freshet.advance('3s');
    await freshet.advance('3s');
    equal((await freshet.gauges()).fetches, 3);
    await origin.listen(origin.port);
    equal((await Promise.all(all)).map((r) => r.body).join(), '1,2,3');
    equal(made.length, 1);
  });
  const reload = async (limit, times) => {
    fs.writeFileSync('config.yaml', yaml(limit));
    freshet.signal('HUP');
    await freshet.saying('info main: reloaded', times);
  };
  await cases.check('limits that a reload changed hold for the next request, whichever connection there is', async () => {
    await afresh();
    origin.answer = hold;
    const slow = get('ten', '/slow');
    await soon(() => held.length === 1);
    origin.answer = large;
    equal((await get('ten', '/a')).status, 502);
    await reload('32K', 1);
    equal((await get('ten', '/b')).body, 'b');
    await reload('4K', 2);
    equal((await get('ten', '/c')).status, 502);
    say(held[0]);
    equal((await slow).body, 'slow');
    equal(made.length, 2);
  });
});
