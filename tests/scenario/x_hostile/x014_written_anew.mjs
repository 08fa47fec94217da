// What reaches the origin is written anew from what was understood: one framing, one Host, no chunk extension, no trailer, no blank that the
// client chose, whatever spelling of a request that is right came in; and no byte of one request is in another.
// hostile h0-01, h0-02
import { check, equal, reply, scenario } from '../lib.mjs';

const chunked = (pieces, { ext = '', hex = (n) => n.toString(16), last = '0', trailer = '' } = {}) =>
  pieces.map((p) => `${hex(p.length)}${ext}\r\n${p}\r\n`).join('') + `${last}${ext}\r\n${trailer}\r\n`;
// [name, request line, field lines, bytes behind the head, the body that the origin must read]
const rows = [];
const body = 'GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n';
const row = (name, lines, bytes = '', is = '', line = 'POST /x HTTP/1.1') => rows.push([name, line, lines, bytes, is]);
const TE = 'Transfer-Encoding: chunked';
for (const value of ['chunked', 'Chunked', 'CHUNKED', 'chunked \t', '\t chunked']) row(`coding ${JSON.stringify(value)}`, [`Transfer-Encoding:${value}`], chunked([body]), body);
for (const name of ['TRANSFER-ENCODING', 'transfer-encoding', 'tRANSFER-eNCODING']) row(name, [`${name}: chunked`], chunked([body]), body);
for (const value of [`${body.length}`, `${body.length} \t`]) row(`length ${JSON.stringify(value)}`, [`Content-Length: ${value}`], body, body);
row('a name in small letters', [`content-length: ${body.length}`], body, body);
for (const ext of [';a', ';a=b', ';a="b c"', ';a="\\""', ' ;a', '; a = b', ';a;b=c;d', `;${'e'.repeat(200)}=${'f'.repeat(200)}`]) row(`extension ${ext.slice(0, 20)}`, [TE], chunked(['he', 'llo'], { ext }), 'hello');
row('sizes in capitals', [TE], chunked(['x'.repeat(0xabc)], { hex: (n) => n.toString(16).toUpperCase() }), 'x'.repeat(0xabc));
row('sizes with noughts', [TE], chunked(['hello'], { hex: (n) => '000' + n.toString(16), last: '0000' }), 'hello');
row('single bytes', [TE], chunked([...body]), body);
row('a trailer', [TE, 'Trailer: X-Evil'], chunked(['hello'], { trailer: 'X-Evil: 1\r\nX-Forwarded-For: 1\r\n' }), 'hello');
row('an empty body in chunks', [TE], chunked([]), '');
row('a length of nothing', ['Content-Length: 0'], '', '');
row('blanks around a value', ['X-A:   b  ', 'X-C:d', 'X-E:'], '', '', 'GET /x HTTP/1.1');
row('names in any case', ['x-a: b', 'X-A: c', 'x-A: d'], '', '', 'GET /x HTTP/1.1');
row('another version', ['X-A: b', 'Connection: keep-alive'], '', '', 'GET /x HTTP/1.0');
row('an absolute target', [], '', '', 'GET http://Test:80/x HTTP/1.1');
row('empty lines before', [], '', '', '\r\n\r\nGET /x HTTP/1.1');
row('Connection lists a field', ['X-Gone: 1', 'Connection: x-gone, Keep-Alive', 'Keep-Alive: timeout=5', 'TE: gzip', 'Proxy-Connection: keep-alive'], '', '', 'GET /x HTTP/1.1');

await scenario({ answer: () => reply('x') }, async ({ connect, cases, origin, freshet }) => {
  let raw = '';
  origin.server.on('connection', (s) => s.on('data', (d) => (raw += d.toString('latin1'))));
  // Exactly what a head may look like, and one framing in it.
  const strict = (r) => {
    check(/^[A-Z]+ \/x HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: (?:[!-~\x80-\xff](?:[ -~\x80-\xff]*[!-~\x80-\xff])?)?\r\n)+$/.test(r.head), `head ${JSON.stringify(r.head)}`);
    equal(r.head.match(/^host: .*$/gim).join().toLowerCase(), 'host: test', 'Host');
    const framings = r.head.match(/^(content-length|transfer-encoding): .*$/gim) ?? [];
    check(framings.length <= 1 && framings.every((f) => /^(content-length: (0|[1-9]\d*)|transfer-encoding: chunked)$/i.test(f)), `framing ${framings}`);
    for (const gone of ['te', 'trailer', 'keep-alive', 'x-gone', 'x-evil', 'proxy-connection', 'connection']) check(!(gone in r.fields) || r.fields[gone] === 'close', `${gone}: ${r.fields[gone]}`);
  };
  for (const [name, line, lines, bytes, is] of rows)
    for (const piece of [Infinity, 7])
      await cases.check(`${name}${piece === 7 ? ', in pieces' : ''}`, async () => {
        const before = origin.requests.length;
        const text = `${line}\r\nHost: Test\r\n${lines.map((l) => l + '\r\n').join('')}\r\n${bytes}`;
        const c = connect();
        if (piece === Infinity) await c.send(text);
        else for (let at = 0; at < Math.min(text.length, 700); at += piece) await c.send(text.slice(at, at + piece));
        if (piece !== Infinity && text.length > 700) await c.send(text.slice(Math.ceil(700 / piece) * piece));
        equal((await c.answers())[0].status, 200);
        c.close();
        equal(origin.requests.length, before + 1, 'requests');
        const r = origin.requests[before];
        equal(r.body, is, 'body');
        strict(r);
      });
  await freshet.settle();
  await cases.check('chunks are freshet\'s own', () => {
    check(!/;|X-Evil/.test(raw.replaceAll(/^[\w-]+: .*$/gm, '')), 'an extension or a trailer went on');
    equal(origin.requests.length, 2 * rows.length, 'requests');
  });
});
