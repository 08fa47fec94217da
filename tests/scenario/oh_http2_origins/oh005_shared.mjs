// Who shares a connection to an HTTP/2 origin, and for how long: room that comes is given to those who wait, what is refused goes elsewhere, and a
// connection that has had enough gets no more requests.
// scenarios F16
import { answer_data as data, answer_head as head, FrameOrigin, reset, settings } from '../h2.mjs';
import { check, equal, request, scenario, soon } from '../lib.mjs';

const good = (id, text) => [head(id, [['cache-control', 'no-store']]), data(id, text)];

const origin = await new FrameOrigin().listen(), { made, seen } = origin;
const yaml = () => `origin: ${origin.url}\norigin_http2: only\nworkers: 1`;
const plain = (r) => r.on.send(good(r.id, r.name));
const held = [], hold = (r) => held.push(r);

await scenario({ yaml }, async ({ ask, cases, connect, freshet }) => {
  const afresh = async () => {
    await freshet.settle();
    await freshet.advance('2m');
    await freshet.until('origin_connections', '==', 0);
    made.length = seen.length = held.length = 0;
    origin.values = { 3: 100 };
    origin.mute = false;
    origin.answer = plain;
  };
  await cases.check('room on a connection is for those who wait for another one', async () => {
    await afresh();
    origin.values = { 3: 2 };
    origin.answer = hold;
    const first = [ask('/a'), ask('/b')];
    await soon(() => held.length === 2);
    origin.mute = true;
    const leader = connect();
    await leader.send('POST /leader HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n');
    await soon(() => made.length === 2);
    const joined = [ask('/c'), ask('/d'), ask('/e')];
    await freshet.until('fetches', '==', 6);
    origin.answer = plain;
    held.forEach(plain);
    equal((await Promise.all(first)).map((r) => r.body).join(), 'a,b');
    equal((await Promise.all(joined)).map((r) => r.body).join(), 'c,d,e');
    equal(made.length, 2);
    leader.close();
  });
  await cases.check('many that are refused at once are asked again on another connection', async () => {
    await afresh();
    origin.answer = hold;
    const all = Array.from({ length: 5 }, (_, i) => ask(`/${i}`));
    await soon(() => held.length === 5);
    origin.answer = (r) => (r.on.n === 0 ? r.on.send(reset(r.id, 7)) : plain(r));
    made[0].send(held.map((r) => reset(r.id, 7)));
    equal((await Promise.all(all)).map((r) => r.body).join(), '0,1,2,3,4');
    equal(seen.filter((r) => r.on.n === 0).length, 5);
  });
  await cases.check('an answer without a body may end by an empty DATA frame: nothing is reset', async () => {
    await afresh();
    const etag = ['etag', '"1"'], answers = {
      length: (r) => head(r.id, [['content-length', '0']]),
      none: (r) => head(r.id, [], false, '204'),
      head: (r) => head(r.id, [['content-length', '7']]),
      confirmed: (r) => ('if-none-match' in r.fields ? head(r.id, [etag], false, '304') : [head(r.id, [etag, ['cache-control', 'max-age=1']]), data(r.id, 'stored', false)]),
      wrong: (r) => [head(r.id, [['content-length', '0']]), data(r.id, 'more')],
    };
    origin.answer = (r) => r.on.send(answers[r.name](r)) ?? (r.name === 'wrong' || r.on.send(data(r.id, '')));
    equal((await ask('/length')).status, 200);
    equal((await ask('/none')).status, 204);
    equal((await ask('/head', {}, { method: 'HEAD' })).status, 200);
    equal((await ask('/confirmed')).body, 'stored');
    await freshet.advance('30s');
    equal((await ask('/confirmed')).body, 'stored');
    await freshet.settle();
    await soon(() => seen.length === 5);
    equal(made.flatMap((c) => c.resets).length, 0);
    await ask('/wrong').catch(() => null);
    await freshet.saying('GET test/wrong: the origin.s answer is malformed');
    await soon(() => made.at(-1).resets.join() === String(seen.at(-1).id));
  });
  const bad = { fault: (id) => head(id, [['connection', 'close']], true), large: (id) => head(id, Array.from({ length: 400 }, (_, i) => [`x-${i}`, '1']), true), reset: (id) => reset(id, 2) };
  for (const name of Object.keys(bad))
    await cases.check(`one page that is always bad (${name}) ends nothing that goes on beside it`, async () => {
      await afresh();
      origin.answer = hold;
      const slow = ask('/slow');
      await soon(() => held.length === 1);
      origin.answer = (r) => (r.name.startsWith('bad') ? r.on.send(bad[name](r.id)) : plain(r));
      for (let i = 0; i < 300; i++) equal((await ask(`/bad${i}`, {}, { method: 'POST' })).status, 502);
      equal((await ask('/page')).body, 'page');
      plain(held[0]);
      equal((await slow).body, 'slow');
      check(made.length > 1 && made.length < 12, `${made.length} connections`);
      await soon(() => made[0].ended);
      equal((await freshet.gauges()).origin_http2_errors_total, 0);
    });
  await cases.check('visitors who leave reset no more than a hundred streams of one connection', async () => {
    await afresh();
    origin.answer = hold;
    for (let i = 0; i < 130; i++) {
      const c = connect();
      await c.send(`POST /${i} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`);
      await soon(() => held.length === i + 1);
      c.close();
      await freshet.until('fetches', '==', 0);
    }
    await soon(() => made.length === 2 && made[1].resets.length === 30);
    equal(seen.filter((r) => r.on.n === 0).length, 100);
    await soon(() => made[0].ended);
  });
  await cases.check('connections that permit no more requests do not pile up', async () => {
    await afresh();
    origin.answer = (r) => {
      plain(r);
      r.on.send(settings({ 3: 0 }));
    };
    for (let i = 0; i < 5; i++) equal((await ask(`/${i}`)).body, String(i));
    await freshet.until('origin_connections', '==', 0);
    await soon(() => made.length === 5 && made.every((c) => c.ended));
  });
  await cases.check('a POST takes no connection whose end is here already', async () => {
    await afresh();
    equal((await ask('/page')).body, 'page');
    const c = connect();
    await c.send(request('/first'));
    await c.answers(1);
    await freshet.settle();
    await freshet.stopped(async () => {
      await c.send('POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n');
      await new Promise((r) => made[0].socket.end(r));
    });
    equal((await c.answers(2)).at(-1).body, 'post');
    c.close();
  });
});
