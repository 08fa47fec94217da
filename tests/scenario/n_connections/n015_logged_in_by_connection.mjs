// An origin that logs visitors in by connection (NTLM, Negotiate) has a connection for each client alone: nobody is taken for another.
// CACHING.md 7
import net from 'node:net';
import { check, equal, scenario, soon } from '../lib.mjs';

// As IIS does it: 401 with a challenge; a first message, answered by 401 with another one; a second message, and from then on the
// connection is that user's. What a user gets is marked as cacheable, as a careless site would.
let connections = 0;
const open = new Set();
const seen = []; // {connection, target}
const server = net.createServer((s) => {
  const connection = ++connections;
  let user, text = '', begun = false;
  open.add(s);
  s.on('error', () => {}).on('close', () => open.delete(s)).on('data', (d) => {
    text += d.toString('latin1');
    for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) answer(text.slice(0, end + 2));
  });
  const send = (status, fields, body) => s.write(`HTTP/1.1 ${status}\r\nX-Connection: ${connection}\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`);
  const answer = (head) => {
    const target = head.split(' ')[1], scheme = /\r\nAuthorization: (\w+) /.exec(head)?.[1];
    const message = /\r\nAuthorization: \w+ (\S+)/.exec(head)?.[1];
    seen.push({ connection, target });
    if (target === '/open') return send('200 OK', 'Cache-Control: s-maxage=60\r\n', 'open');
    if (target === '/kept') return send('200 OK', 'Cache-Control: public, s-maxage=60\r\nPersistent-Auth: true\r\n', 'kept');
    if (message === 'hello') {
      begun = true;
      return send('401 Unauthorized', `WWW-Authenticate: ${scheme} challenge\r\n`, '');
    }
    if (begun && message) user = message;
    if (scheme === 'Negotiate' && message?.startsWith('ticket-')) user = message.slice(7); // Kerberos: one message is enough
    if (target === '/out') return s.end();
    if (user) return send('200 OK', 'Cache-Control: public, s-maxage=60\r\n', `hello ${user}`);
    const asks = target === '/several' ? 'WWW-Authenticate: Basic realm="a, NTLM", charset="UTF-8", Negotiate\r\n'
      : 'WWW-Authenticate: NTLM\r\nWWW-Authenticate: Negotiate\r\n';
    return send('401 Unauthorized', `${asks}Cache-Control: public, s-maxage=60\r\n`, 'who?');
  };
});
await new Promise((r) => server.listen(0, '127.0.0.1', r));
const url = `http://127.0.0.1:${server.address().port}`;

const yaml = (other) => `origin_idle_timeout: 1h\nall_statuses: true\nsites:\n` +
  `  intranet:\n    origin: ${url}\n  other:\n    hosts: [other.example]\n    origin: ${other}\n`;
await scenario({ yaml }, async ({ connect, cases, freshet }) => {
  const client = () => {
    const c = connect();
    let n = 0;
    return { c, get: async (target, authorization, host = 'intranet') => {
      await c.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${authorization ? `Authorization: ${authorization}\r\n` : ''}\r\n`);
      return (await c.answers(++n)).at(-1);
    } };
  };
  const log_in = async (who, name, target = '/') => {
    equal((await who.get(target)).status, 401);
    equal((await who.get(target, 'NTLM hello')).status, 401);
    const r = await who.get(target, `NTLM ${name}`);
    equal(r.body, `hello ${name}`);
    return r;
  };
  const bob = client();
  let his;
  await cases.check('a visitor logs in, with three requests over one connection', async () => {
    const r = await log_in(bob, 'bob');
    his = r.fields['x-connection'];
    check(/detail=connection-auth/.test(r.fields['cache-status']) && !/stored/.test(r.fields['cache-status']), r.fields['cache-status']);
  });
  const stranger = client();
  await cases.check('a stranger is not greeted as that visitor', async () => {
    for (const target of ['/', '/page', '/open']) check(!(await stranger.get(target)).body.includes('bob'), target);
  });
  await cases.check('the visitor stays who he is, without a word', async () => {
    for (const target of ['/page', '/', '/page']) {
      const r = await bob.get(target);
      equal(r.body, 'hello bob');
      equal(r.fields['x-connection'], his);
    }
  });
  await cases.check('nothing that came over it is stored', async () => {
    for (const target of ['/page', '/']) equal((await client().get(target)).status, 401);
  });
  await cases.check('two visitors at once, each greeted by name', async () => {
    const eve = client();
    await log_in(eve, 'eve');
    for (let i = 0; i < 3; i++) {
      const [a, b] = await Promise.all([bob.get(`/${i}`), eve.get(`/${i}`)]);
      equal(`${a.body}, ${b.body}`, 'hello bob, hello eve');
    }
    eve.c.close();
  });
  await cases.check('another site over the same client connection: another origin', async () => {
    equal((await bob.get('/', undefined, 'other.example')).body, 'x');
    equal((await bob.get('/page')).body, 'hello bob');
  });
  await cases.check('it outlives the time for idle connections', async () => {
    await freshet.advance('50s');
    equal((await bob.get('/page')).body, 'hello bob');
  });
  await cases.check('the origin ends it: the visitor logs in anew, and sees no error', async () => {
    equal((await bob.get('/out')).status, 502);
    const again = await bob.get('/page');
    equal(again.status, 401);
    await bob.get('/page', 'NTLM hello');
    equal((await bob.get('/page', 'NTLM bob')).body, 'hello bob');
  });
  await cases.check('the visitor ends it: so does the connection to the origin', async () => {
    const before = open.size;
    bob.c.close();
    await soon(() => open.size < before);
    for (let i = 0; i < 3; i++) equal((await client().get(`/after${i}`)).status, 401);
  });
  await cases.check('Negotiate with a ticket in the first request', async () => {
    const a = client();
    equal((await a.get('/t', 'Negotiate ticket-ann')).body, 'hello ann');
    equal((await client().get('/t')).status, 401);
    equal((await a.get('/u')).body, 'hello ann');
  });
  await cases.check('a challenge behind others on one line', async () => {
    const a = client();
    const first = await a.get('/several');
    equal(first.status, 401);
    equal((await a.get('/several')).fields['x-connection'], first.fields['x-connection']);
    check((await client().get('/several')).fields['x-connection'] !== first.fields['x-connection'], 'shared');
  });
  await cases.check('an origin that says so itself', async () => {
    const a = client();
    const first = await a.get('/kept');
    check(!/stored/.test(first.fields['cache-status']), first.fields['cache-status']);
    check((await client().get('/kept')).fields['x-connection'] !== first.fields['x-connection'], 'shared');
    equal((await a.get('/kept')).fields['x-connection'], first.fields['x-connection']);
  });
  await cases.check('a visitor who leaves in the middle takes it with him', async () => {
    const a = client();
    await log_in(a, 'amy');
    await a.c.send('GET /more HTTP/1.1\r\nHost: intranet\r\n\r\nGET /and HTTP/1.1\r\nHost: intranet\r\n\r\n');
    a.c.close();
    await freshet.settle();
    for (let i = 0; i < 3; i++) equal((await client().get(`/later${i}`)).status, 401);
  });
  await cases.check('what needs no log-in is stored and shared as ever', async () => {
    await client().get('/open');
    check(/hit/.test((await client().get('/open')).fields['cache-status']), 'no hit');
  });
});
