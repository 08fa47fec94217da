// Requests whose framing or syntax is in any doubt: refused, the connection closes, nothing behind them is read as a request, and
// the origin sees nothing of them.
// hostile h1-01 to h1-19, h0-01, h0-02; scenarios N5; RFC 9112 §2.2, §5, §6.3, §7.1
import { check, equal, reply, scenario } from '../lib.mjs';

const evil = 'GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n';
const rows = []; // [name, bytes, allowed statuses]
const row = (name, bytes, statuses = [400]) => rows.push([name, bytes, statuses]);
// A POST with these header lines, then the body, then what must not be taken for a request.
const post = (lines, body = '', version = 'HTTP/1.1') =>
  `POST / ${version}\r\nHost: a\r\n${lines.map((l) => l + '\r\n').join('')}\r\n${body}${evil}`;
const get = (line, lines = ['Host: a']) => `${line}\r\n${lines.map((l) => l + '\r\n').join('')}\r\n${evil}`;
const show = (text) => JSON.stringify(text).slice(1, 80);

// S1, S2: both framings
row('CL.TE', post(['Content-Length: 6', 'Transfer-Encoding: chunked'], '0\r\n\r\nG'));
row('TE.CL', post(['Transfer-Encoding: chunked', 'Content-Length: 4'], '5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n'));
row('CL 0 and TE', post(['Content-Length: 0', 'Transfer-Encoding: chunked'], '0\r\n\r\n'));

// S3: codings that are not exactly one "chunked"
for (const value of ['cow', 'chunked, identity', 'identity, chunked', 'identity', 'xchunked', 'chunkedx', 'chunk', '"chunked"', "'chunked'", ',chunked',
  'chunked,', 'chunked,chunked', 'gzip, chunked', 'gzip', 'chunked;q=1', 'chunked; a=b', 'chunked chunked', 'chunked\x0b', '\x0bchunked', '\xa0chunked\xa0',
  'chunked\0', '', 'chunKed\u017f'.slice(0, 8)]) {
  row(`Transfer-Encoding: ${show(value)}`, post([`Transfer-Encoding: ${value}`], '0\r\n\r\n'), [400, 501]);
  row(`the same with a length: ${show(value)}`, post([`Transfer-Encoding: ${value}`, 'Content-Length: 5'], '0\r\n\r\n'), [400, 501]);
}
row('chunked twice', post(['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), [400, 501]);
row('chunked and cow', post(['Transfer-Encoding: chunked', 'Transfer-encoding: cow'], '0\r\n\r\n'), [400, 501]);
row('cow and chunked', post(['Transfer-encoding: cow', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), [400, 501]);

// S4: every byte that has no business there, at each place of a field line, alone and in pairs
const odd = [...Array(0x21).keys(), ...Array.from({ length: 0x81 }, (_, i) => 0x7f + i)].map((b) => String.fromCharCode(b));
const places = { 'before the name': (b) => `${b}Transfer-Encoding: chunked`, 'in the name': (b) => `Transfer${b}Encoding: chunked`,
  'before the colon': (b) => `Transfer-Encoding${b}: chunked`, 'before the value': (b) => `Transfer-Encoding:${b}chunked`,
  'in the value': (b) => `Transfer-Encoding: chun${b}ked`, 'after the value': (b) => `Transfer-Encoding: chunked${b}` };
for (const [place, line] of Object.entries(places)) {
  for (const b of odd) row(`${show(b)} ${place}`, post([line(b), 'Content-Length: 5'], '0\r\n\r\n'), [400, 501]);
  for (const b of odd) row(`${show(b)} ${place}, second`, post(['Content-Length: 5', 'X: y', line(b)], '0\r\n\r\n'), [400, 501]);
  const few = ['\0', '\t', '\n', '\x0b', '\x0c', '\r', ' ', '\x85', '\xa0', ':', ','];
  for (const a of few) for (const b of few) {
    // What is right in other ways: an empty line ends the head, a colon ends a name.
    if (place === 'before the name' && a + b === '\r\n') continue;
    if (place === 'in the name' && a === ':') continue;
    row(`${show(a + b)} ${place}`, post([line(a + b), 'Content-Length: 5'], '0\r\n\r\n'), [400, 501]);
  }
}
// The same for Content-Length: hidden, it would turn the body into a request.
const lengths = { 'before the name': (b) => `${b}Content-Length: 5`, 'in the name': (b) => `Content${b}Length: 5`, 'before the colon': (b) => `Content-Length${b}: 5`,
  'in the value': (b) => `Content-Length: 3${b}5`, 'after the value': (b) => `Content-Length: 5${b}` };
for (const [place, line] of Object.entries(lengths)) {
  for (const b of odd) {
    if (place === 'after the value' && (b === ' ' || b === '\t')) continue; // white space around a value is right
    row(`Content-Length: ${show(b)} ${place}`, post([line(b)], 'hello'));
  }
}

// S5
row('chunked in HTTP/1.0', post(['Transfer-Encoding: chunked'], '0\r\n\r\n', 'HTTP/1.0'));

// S6: lengths
for (const value of ['', '+5', '-5', '0x5', '010', '05', '5_0', '5 5', '5,6', '5;', '5.0', '5e0', '5Z', '5\x11', '5\0', '9223372036854775808', '18446744073709551615',
  '18446744073709551621', '1'.repeat(25), 'five', '\x0b5', '\xa05', '5,', ',5', '"5"', '0 ,5']) {
  row(`Content-Length: ${show(value)}`, post([`Content-Length: ${value}`], 'hello'));
}
row('two lengths', post(['Content-Length: 5', 'Content-Length: 6'], 'hello'));
row('an empty length, then one', post(['Content-Length:', 'Content-Length: 5'], 'hello'));
row('a length, then an empty one', post(['Content-Length: 5', 'Content-Length:'], 'hello'));

// S7 to S9: chunks
const chunks = (body) => post(['Transfer-Encoding: chunked'], body);
for (const size of ['0x5', '+5', '-5', '5_0', ' 5', '', ';ext', 'Z', '1these-bytes', 'FFFFFFFFFFFFFFED', '10000000000000000', '100000000000000000000',
  '5,', '5.', '5 5', '\t5', '5\x0b', '5\0', '\xb95', '0'.repeat(300) + '5']) {
  row(`chunk size ${show(size)}`, chunks(`${size}\r\nhello\r\n0\r\n\r\n`), [400, 413]);
}
for (const [name, body] of Object.entries({
  'an empty extension': '5;\r\nhello\r\n0\r\n\r\n',
  'size ends with LF': '5\nhello\r\n0\r\n\r\n',
  'size ends with CR': '5\rhello\r\n0\r\n\r\n',
  'size ends with CR CR': '5\r\r\nhello\r\n0\r\n\r\n',
  'extension ends with LF': '5;a=b\nhello\r\n0\r\n\r\n',
  'extension ends with CR X': '5;a=b\rX\r\nhello\r\n0\r\n\r\n',
  'extension ends with CR CR': '5;a=b\r\rXXXX\r\nhello\r\n0\r\n\r\n',
  'a quoted CR LF in an extension': '5;a="\r\n"\r\nhello\r\n0\r\n\r\n',
  'a quoted LF in an extension': '5;a="\n"\r\nhello\r\n0\r\n\r\n',
  'a NUL in an extension': '5;a=\0\r\nhello\r\n0\r\n\r\n',
  'data ends with LF': '5\r\nhello\n0\r\n\r\n',
  'data ends with CR': '5\r\nhello\r0\r\n\r\n',
  'data ends with nothing': '5\r\nhello0\r\n\r\n',
  'data ends with XX': '5\r\nhelloXX0\r\n\r\n',
  'data is longer': '5\r\nhello!\r\n0\r\n\r\n',
  'data is shorter': '5\r\nhell\r\n0\r\n\r\n',
  'the end with LF': '0\r\n\n',
  'the last size with LF': '0\n\r\n',
  'a trailer line with LF': '0\r\nX: a\n\r\n',
  'a trailer with CR': '0\r\nX: a\rb\r\n\r\n',
  'a trailer without colon': '0\r\nX\r\n\r\n',
  'a trailer with space before the colon': '0\r\nX : a\r\n\r\n',
  'a trailer that folds': '0\r\nX: a\r\n b\r\n\r\n',
  'a trailer Content-Length': '0\r\nContent-Length: 5\r\n\r\n',
  'a trailer Transfer-Encoding': '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  'an extension of a megabyte': `5;${'a'.repeat(1 << 20)}\r\nhello\r\n0\r\n\r\n`,
  'ten thousand extensions of a kilobyte': `1;${'a'.repeat(1000)}\r\nx\r\n`.repeat(10_000) + '0\r\n\r\n',
  'a trailer of a megabyte': `0\r\nX: ${'a'.repeat(1 << 20)}\r\n\r\n`,
})) row(name, chunks(body), [400, 413, 431]);

// S10 to S12: lines and fields
for (const [name, text] of Object.entries({
  'lines end with LF': `GET / HTTP/1.1\nHost: a\n\n${evil}`,
  'the request line ends with LF': `GET / HTTP/1.1\nHost: a\r\n\r\n${evil}`,
  'a field ends with LF': `GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n${evil}`,
  'the head ends with LF': `GET / HTTP/1.1\r\nHost: a\r\n\n${evil}`,
  'the head ends with CR X': `GET / HTTP/1.1\r\nHost: a\r\n\rX${evil}`,
  'a CR in a value': `GET / HTTP/1.1\r\nHost: a\r\nX: v\rTransfer-Encoding: chunked\r\n\r\n${evil}`,
  'a CR in the request line': `GET /\r HTTP/1.1\r\nHost: a\r\n\r\n${evil}`,
  'a fold': get('GET / HTTP/1.1', ['Host: a', 'Foo: a', ' b']),
  'a fold with a tab': get('GET / HTTP/1.1', ['Host: a', 'Foo: a', '\tb']),
  'a folded coding': post(['Transfer-Encoding:', ' chunked'], '0\r\n\r\n'),
  'a fold first': get('GET / HTTP/1.1', [' Host: a']),
  'no colon': get('GET / HTTP/1.1', ['Host: a', 'nothing']),
  'no name': get('GET / HTTP/1.1', ['Host: a', ': x']),
  'a space in a name': get('GET / HTTP/1.1', ['Host: a', 'X Y: x']),
  'a slash in a name': get('GET / HTTP/1.1', ['Host: a', 'X/Y: x']),
  'a byte above 0x7f in a name': get('GET / HTTP/1.1', ['Host: a', 'X\xe9: x']),
  'a NUL in a value': get('GET / HTTP/1.1', ['Host: a', 'X: a\0b']),
  'a DEL in a value': get('GET / HTTP/1.1', ['Host: a', 'X: a\x7fb']),
  'a BEL in a value': get('GET / HTTP/1.1', ['Host: a', 'X: a\x07b']),
  'a NUL first': `\0GET / HTTP/1.1\r\nHost: a\r\n\r\n${evil}`,
})) row(name, text);
for (const name of ['Host', 'Content-Length', 'Transfer-Encoding', 'Cookie', 'Authorization', 'host, close', 'close, CONTENT-LENGTH']) {
  row(`Connection: ${name}`, get('GET / HTTP/1.1', ['Host: a', `Connection: ${name}`])); // S18
}

// S13: request lines
for (const line of ['GET /', 'GET', 'GET / ', 'GET  / HTTP/1.1', 'GET /  HTTP/1.1', 'GET / HTTP/1.1 ', ' GET / HTTP/1.1', 'GET\t/ HTTP/1.1', 'GET /\tHTTP/1.1',
  'GET /a b HTTP/1.1', 'GET / HTTP/1', 'GET / HTTP/1.', 'GET / HTTP/.1', 'GET / HTTP/01.1', 'GET / HTTP/1.01', 'GET / HTTP/1.1x', 'GET / HTTP /1.1', 'GET / http/1.1',
  'GET / HTTP/4294967295.255', 'GET / HTTP/1.-1', 'GET / HTTP/1,1', 'GET / HTTPS/1.1', 'GET / HTTP/1.1\0', 'G(T / HTTP/1.1', 'GE\0T / HTTP/1.1',
  'G\xe9T / HTTP/1.1', 'GET: / HTTP/1.1', ' / HTTP/1.1', '/ HTTP/1.1', 'GET HTTP/1.1', 'GET / FTP/1.1', 'GET \x01 HTTP/1.1', 'GET /\x7f HTTP/1.1', 'GET /\xe9 HTTP/1.1',
  'GET /a#b HTTP/1.1', 'GET /a\\b HTTP/1.1', 'GET a HTTP/1.1', 'GET ?a HTTP/1.1', 'GET /%zz HTTP/1.1', 'GET /%2 HTTP/1.1', 'GET /% HTTP/1.1', 'GET /%00 HTTP/1.1',
  'GET /%0a HTTP/1.1', 'GET /%0d%0aX: HTTP/1.1', 'GET /a"b HTTP/1.1', 'GET /<> HTTP/1.1', 'GET /{} HTTP/1.1', 'GET /^|` HTTP/1.1']) {
  // Some of these bytes are merely unwise in a path; what is served for them is tried in x008.
  if (/["<>{}^|`\\]/.test(line)) continue;
  row(`line ${show(line)}`, get(line), /HTTP\/[04]|HTTP\/1\.(?!1|0)/.test(line) ? [400, 505] : [400]);
}
for (const version of ['HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/3.0', 'HTTP/9.9']) row(version, get(`GET / ${version}`), [400, 505]);
row('a method of 100 KB', get('G'.repeat(100_000) + ' / HTTP/1.1'), [400, 414, 501]);

// S14: Host
row('no Host', get('GET / HTTP/1.1', []));
row('two Hosts', get('GET / HTTP/1.1', ['Host: a', 'Host: a']));
for (const host of ['', 'a:1:2', 'a,b', 'a b', 'user@a', 'a\0.b', 'foo/bar', 'a:b', 'a:99999', 'a:-1', '[::1', '::1', 'a?b', 'a#b', 'a\\b', 'http://a', 'a\tb', '[g::1]', '%zz',
  '\xe9', 'a'.repeat(300), '"a"', '(a)', 'a:80:', '[::1]x', ':80']) {
  row(`Host: ${show(host)}`, get('GET / HTTP/1.1', [`Host: ${host}`]));
}

// S15: targets
for (const [target, host] of [['http://other/x', 'a'], ['http://a#@b/', 'a'], ['http://b@a/', 'a'], ['http:///x', 'a'], ['http:/x', 'a'], ['http://', 'a'], ['a:80', 'a'],
  ['*', 'a'], ['ftp://a/', 'a'], ['http://a:99999/', 'a'], ['http://a b/', 'a'], ['//', '']]) {
  row(`target ${target}`, get(`GET ${target} HTTP/1.1`, [`Host: ${host}`]));
}

await scenario({ answer: (r) => reply(r.target) }, async ({ connect, ask, cases, origin, freshet }) => {
  let raw = '';
  origin.server.on('connection', (s) => s.on('data', (d) => (raw += d.toString('latin1'))));
  const one = async ([name, bytes, statuses]) => {
    const c = connect();
    try {
      await c.send(bytes);
      await c.closed(20_000);
      const got = c.responses();
      check(got.length === 1, `${got.length} answers: ${c.text.slice(0, 200)}`);
      check(statuses.includes(got[0].status), `status ${got[0].status}`);
      equal(got[0].fields.connection, 'close', 'Connection');
      check(!/evil|GPOST/.test(c.text), 'the answer repeats what was sent');
    } finally {
      c.close();
    }
    return name;
  };
  for (let i = 0; i < rows.length; i += 20) {
    await Promise.all(rows.slice(i, i + 20).map((r) => cases.check(r[0], () => one(r))));
  }
  await freshet.settle();
  await cases.check('the origin saw no whole request', () => equal(origin.requests.map((r) => r.line).join(), ''));
  await cases.check('nor any part of what came behind', () => check(!/\/evil|Host: evil/.test(raw), 'evil'));

  // S19: what is right is answered before what follows is refused.
  await cases.check('the first of two is answered', async () => {
    const c = connect();
    await c.send('GET /first HTTP/1.1\r\nHost: a\r\n\r\nInvalid\r\n\r\n' + evil);
    await c.closed();
    equal(c.responses().map((r) => `${r.status} ${r.status === 200 ? r.body : ''}`).join(), '200 /first,400 ');
    c.close();
  });
  // What is merely unusual is right, and is written anew for the origin.
  for (const [name, bytes, line, host] of [
    ['absolute form', 'GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /x HTTP/1.1', 'a'],
    ['absolute form without a path', 'GET http://a HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1', 'a'],
    ['space around a value', 'POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: \t 2 \t\r\n\r\nhi', 'POST /l HTTP/1.1', 'a'],
    ['an unknown method', 'FROB /f HTTP/1.1\r\nHost: a\r\n\r\n', 'FROB /f HTTP/1.1', 'a'],
    ['a name in upper case', 'GET /u HTTP/1.1\r\nHOST: a\r\n\r\n', 'GET /u HTTP/1.1', 'a'],
  ]) {
    await cases.check(name, async () => {
      const before = origin.requests.length;
      const c = connect();
      await c.send(bytes);
      equal((await c.answers())[0].status, 200);
      c.close();
      const r = origin.requests[before];
      equal(r.line, line);
      equal(r.fields.host, host);
      equal((r.head.match(/^(content-length|transfer-encoding):/gim) ?? []).length, r.body === '' ? (r.method === 'GET' ? 0 : (r.head.match(/^content-length: 0/gim) ?? []).length) : 1, 'framings');
    });
  }
  await cases.check('a name with an underscore never looks like a coding to the origin', async () => {
    const c = connect();
    await c.send('POST /under HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n');
    await c.answers();
    c.close();
    check(!origin.requests.some((r) => 'transfer_encoding' in r.fields), 'forwarded');
  });
  equal((await ask('/end')).body, '/end');
});
