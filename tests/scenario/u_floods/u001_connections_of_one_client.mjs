// One address has only so many connections: one more gets 429 and is counted, others are served meanwhile, a place that is given back is
// another's. Whoever stands in X-Forwarded-For does not count; a trusted proxy has no such limit, from a reload on too.
// setting client_connections; scenarios U1
import { check, equal, Raw, reply, scenario } from '../lib.mjs';

const get = (more = '') => `GET / HTTP/1.1\r\nHost: test\r\n${more}\r\n`;
await scenario({ answer: () => reply('x', { 'Cache-Control': 'max-age=60' }), yaml: (origin) => `origin: ${origin}\nclient_connections: 3\n`,
  flags: ['--listen', '127.0.0.1:0', '--workers', '2'] }, async ({ cases, freshet }) => {
  const from = (localAddress) => new Raw({ ...freshet.tcp, localAddress });
  const served = async (c, more) => {
    await c.send(get(more));
    return (await c.answers(c.responses().length + 1)).at(-1).status;
  };
  const three = [];
  for (let i = 0; i < 3; i++) {
    three.push(from('127.0.0.1'));
    equal(await served(three[i], `X-Forwarded-For: 192.0.2.${i}\r\n`), 200, 'one of three');
  }
  await cases.check('the fourth is refused', async () => {
    const fourth = from('127.0.0.1');
    await fourth.closed();
    equal(fourth.responses()[0]?.status, 429, fourth.text);
    equal(fourth.responses()[0].fields['retry-after'], '5', 'Retry-After');
    equal((await freshet.gauges()).client_connections_refused_total, 1, 'counted');
    equal((await freshet.gauges()).connections, 3, 'and is no connection');
    check(/client 127\.0\.0\.1 is refused: it has 3 connections/.test(freshet.log()), 'the log says whom');
  });
  await cases.check('another address is served', async () => {
    const other = from('127.0.0.2');
    equal(await served(other), 200, 'another');
    other.close();
  });
  await cases.check('those that it has go on', async () => {
    for (const c of three) equal(await served(c), 200, 'one of three');
  });
  await cases.check('a place that is given back', async () => {
    three[0].close();
    await freshet.until('connections', '==', 2);
    three[0] = from('127.0.0.1');
    equal(await served(three[0]), 200, 'in its place');
  });
  await cases.check('the proxy that the file trusts from now on has no such limit', async () => {
    const file = freshet.note('config.yaml');
    freshet.note('config.yaml', `${file}\ntrusted_proxies: [127.0.0.1]\n`);
    freshet.signal('HUP');
    await freshet.saying('reloaded');
    const more = [];
    for (let i = 0; i < 10; i++) {
      more.push(from('127.0.0.1'));
      equal(await served(more[i]), 200, 'one of ten');
    }
    for (const c of more) c.close();
    equal((await freshet.gauges()).client_connections_refused_total, 1, 'none was refused');
  });
  for (const c of three) c.close();
});
