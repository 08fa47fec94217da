// Our reading of a stream of requests against Node's: the same bytes go to freshet, in front of a Node origin, and to another Node server directly.
// What the origin saw is exactly what was answered, in that order, and is what Node reads in these bytes, as far as freshet takes them; where it
// refuses, nothing of what follows is a request. Every byte value at every place of the framing, dice on whole streams, and on the corpora of the fuzz
// targets. `make differential SECONDS=600` is the long form.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { below, chance, check, done, Freshet, pick, scaled, seed, within } from './lib.mjs';

// ---- two servers of Node ----

// Keeps what it saw until it is asked; says in each answer which one it answers.
function server() {
  const s = http.createServer((request, response) => {
    const n = s.begun++, chunks = [];
    const entry = { method: request.method, target: request.url, body: undefined };
    s.saw[n] = entry;
    request.on('data', (d) => chunks.push(d)).on('end', () => {
      entry.body = Buffer.concat(chunks).toString('latin1');
      response.writeHead(200, { 'X-N': n, 'X-Method': request.method, 'Cache-Control': 'no-store', 'Content-Length': 2 });
      response.end('ok');
    }).on('error', () => {});
  });
  s.on('clientError', (_, socket) => socket.writable && socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'));
  s.clear = () => Object.assign(s, { begun: 0, saw: [] });
  s.clear();
  s.keepAliveTimeout = 0;
  return new Promise((r) => s.listen(0, '127.0.0.1', () => r(s)));
}

// ---- a client that says the bytes, ends its side, and takes what comes ----

function say(at, bytes) {
  return within(() => `the end of a connection: ${JSON.stringify(bytes)}`, new Promise((resolve) => {
    const chunks = [];
    const c = net.connect({ ...at, allowHalfOpen: true }, () => c.end(bytes, 'latin1'));
    c.on('data', (d) => chunks.push(d)).on('error', () => {}).on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  }));
}

// The answers in these bytes: status and fields; undefined when they are not answers one behind the other.
function answers(text) {
  const all = [];
  while (text) {
    const end = text.indexOf('\r\n\r\n'), head = /^HTTP\/1\.1 (\d{3})[^\r]*\r\n/.exec(text);
    if (end < 0 || !head) return undefined;
    const fields = Object.fromEntries(text.slice(head[0].length, end + 2).split('\r\n').filter(Boolean).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 1).trim()]));
    const status = +head[1], bodiless = status < 200 || status === 204 || status === 304 || fields['x-method'] === 'HEAD';
    const n = bodiless ? 0 : +(fields['content-length'] ?? text.length - end - 4);
    if (text.length < end + 4 + n && fields['x-n'] !== undefined) return undefined;
    text = text.slice(end + 4 + n);
    if (status >= 200) all.push({ status, fields });
  }
  return all;
}

// Raw bytes above ASCII in a target are percent-encoded on the way in (CACHING.md 2), and an empty query is none (4.3). The host of an absolute target goes into
// Host (RFC 9112 §3.2.2), and segments of dots are gone (RFC 3986 §5.2.4).
function undotted(pathname) {
  const out = [], all = pathname.split('/').slice(1);
  all.forEach((p, i) => {
    if (p === '..') out.pop();
    if (p !== '.' && p !== '..') out.push(p);
    else if (i === all.length - 1) out.push('');
  });
  return `/${out.join('/')}`;
}
const spelled = (target) => target.replace(/^http:\/\/[^/?]*/i, '').replace(/^\/[^?]*/, undotted).replace(/^(?=\?|$)/, '/').replace(/\?$/, '')
  .replace(/[\x80-\xff]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

// ---- streams ----

const get = (i) => `GET /g${i} HTTP/1.1\r\nHost: test\r\n\r\n`;
const post = (i, body = 'hello') => `POST /p${i} HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (i) => `POST /c${i} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;a=b\r\n0123456789abcdef\r\n0\r\n\r\n`;
const head = (i) => `HEAD /h${i} HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n`;
const old = (i) => `GET /o${i} HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n`;
const many = (i) => `PUT /m${i} HTTP/1.1\r\nHost: test\r\nA: 1\r\nB:2\r\nC : \r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc`.replace('C : ', 'C:  x ');
const kinds = [get, post, chunked, head, old, many];

// Places of framing: everything of these but the letters of names, targets and bodies, where any byte is as good as another.
function places(text) {
  const at = [];
  for (let i = 0; i < text.length; i++) if (!/[a-z]/.test(text[i]) || /chunked|keep/.test(text.slice(i - 6, i + 7))) at.push(i);
  return at;
}

const put = (text, at, byte) => text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1);
const splice = (text, at, length, by) => text.slice(0, at) + by + text.slice(at + length);

function* swept(stride) {
  let n = below(stride);
  for (const kind of kinds) {
    const text = kind(1) + get(2);
    for (const at of places(kind(1)))
      for (let byte = 0; byte < 256; byte++) if (n++ % stride === 0) yield put(text, at, byte);
  }
}

const words = ['\r\n', '\n', '\r', ' ', '\t', ':', ',', ';', '0', '5', '-1', '+5', '0x5', '5 ', ' 5', 'Content-Length: 4\r\n', 'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: identity\r\n', 'Transfer-Encoding : chunked\r\n', 'Transfer-Encoding: xchunked\r\n', ' folded\r\n', 'GET /x HTTP/1.1\r\nHost: test\r\n\r\n',
  'Expect: 100-continue\r\n', 'Connection: close\r\n', '0\r\n\r\n', 'ffffffffffffffff\r\n', '\0', '\x0b', '\x80', 'é', 'HTTP/1.1', 'Host: other\r\n'];

// What fuzzing has kept: heads, and bodies in chunks behind the head of one. A request follows, which must not become a part of them.
const corpus = (name) => fs.readdirSync(new URL(`../fuzz/corpus/${name}/`, import.meta.url)).map((f) => fs.readFileSync(new URL(`../fuzz/corpus/${name}/${f}`, import.meta.url), 'latin1'));
// Without what is no stream of requests any more once the origin agrees, and a question that freshet answers itself (Max-Forwards: 0).
const kept = [...corpus('request_head').filter((t) => !/^(upgrade|max-forwards):/im.test(t)), ...corpus('chunked').map((body) => `POST /k HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${body}`)];

function* thrown(count) {
  for (let n = 0; n < count; n++) {
    let text = chance(0.3) ? pick(kept) + get(1) : Array.from({ length: 1 + below(4) }, (_, i) => pick(kinds)(i)).join('');
    for (let i = 1 + below(3); i > 0; i--) {
      const at = below(text.length + 1);
      text = pick([() => put(text, Math.min(at, text.length - 1), below(256)), () => splice(text, at, 0, pick(words)), () => splice(text, at, below(6), ''),
        () => splice(text, at, below(3), pick(words)), () => text.slice(0, at), () => splice(text, at, 0, text.slice(at, at + below(40)))])();
    }
    yield text;
  }
}

// ---- what Node refuses, and RFCs permit ----

const ext = String.raw`[ \t]*;[ \t]*[!#$%&'*+.^_\x60|~\w-]+(?:[ \t]*=[ \t]*(?:[!#$%&'*+.^_\x60|~\w-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"))?`;
const chunk_line = new RegExp(`([0-9A-Fa-f]+)((?:${ext})*)\r\n`, 'y');

// The same stream without the white space that a recipient has to take and drop: tabs around a field's value (RFC 9110 §5.5, §5.6.3), which Node refuses
// behind a length, and blanks and tabs around ";" and "=" of chunk extensions (BWS: RFC 9112 §7.1.1), which it refuses altogether. Extensions go as a whole,
// since a recipient ignores those that it does not know. Ends where it is no stream of requests any more, and leaves the rest.
function plain(text) {
  let out = '';
  while (text) {
    const end = text.indexOf('\r\n\r\n');
    if (end < 0) break;
    const lines = text.slice(0, end + 2).split('\r\n').map((l, i) => (i ? l.replace(/^([^:\s]+:)[ \t]*(.*?)[ \t]*$/s, '$1 $2') : l)).join('\r\n');
    out += lines + '\r\n';
    text = text.slice(end + 4);
    if (/^transfer-encoding: chunked$/im.test(lines)) {
      for (let size = 1, m; size > 0;) {
        chunk_line.lastIndex = 0;
        if (!(m = chunk_line.exec(text))) return out + text;
        size = parseInt(m[1], 16);
        out += `${m[1]}\r\n`;
        text = text.slice(m[0].length);
        if (size === 0) break;
        out += text.slice(0, size + 2);
        text = text.slice(size + 2);
      }
      const trailers = text.startsWith('\r\n') ? 2 : text.indexOf('\r\n\r\n') + 4;
      out += text.slice(0, trailers);
      text = text.slice(trailers);
    } else {
      const length = +(/^content-length: (\d+)$/im.exec(lines)?.[1] ?? 0);
      out += text.slice(0, length);
      text = text.slice(length);
    }
  }
  return out + text;
}

// ---- the comparison ----

console.log(`a stream of requests, read by freshet and by Node (STRESS_SEED=${seed})`);
const origin = await server(), reference = await server();
const freshet = await new Freshet(['--origin', `http://127.0.0.1:${origin.address().port}`]).start();
const at = { host: '127.0.0.1', port: reference.address().port };
const told = (text, more) => () => `${JSON.stringify(text)}: ${JSON.stringify(more)}`;
let streams = 0, requests = 0, permitted = 0;

async function compare(text) {
  origin.clear();
  reference.clear();
  const [got] = await Promise.all([say(freshet.at, text), say(at, text)]);
  const saw = origin.saw, answered = answers(got);
  streams++;
  requests += saw.length;
  if (!check(answered !== undefined, 'answers stand one behind the other', told(text, got))) return;
  const from = answered.filter((a) => a.fields['x-n'] !== undefined).map((a) => +a.fields['x-n']);
  const whole = saw.filter((r) => r.body !== undefined);
  check(from.length === whole.length && from.every((n, i) => n === i), 'what the origin saw is what was answered', told(text, { from, saw, got }));
  // A method that Node does not know goes to the origin as any other, which refuses it: there is nothing to compare with.
  if (answered.some((a) => a.status === 400 && a.fields['cache-status']?.includes('fwd=method'))) return;
  const refusal = answered.findIndex((a) => a.fields['x-n'] === undefined && a.status >= 400);
  check(refusal < 0 || refusal === answered.length - 1, 'nothing follows a refusal', told(text, answered));
  const reading = () => reference.saw.filter((r) => r.body !== undefined);
  let read = reading();
  if (whole.length > read.length && plain(text) !== text) {
    reference.clear();
    await say(at, plain(text));
    read = reading();
    permitted++;
  }
  check(whole.length <= read.length, 'freshet takes no more requests than Node', told(text, { saw, read }));
  for (let i = 0; i < Math.min(whole.length, read.length); i++) {
    const [a, b] = [whole[i], read[i]];
    check(a.method === b.method && spelled(a.target) === spelled(b.target) && a.body === b.body, 'and each is the one that Node reads', told(text, { i, a, b }));
  }
}

// White space of every kind in chunk extensions and around a length.
const ends = (line) => `POST /w HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5${line}\r\nhello\r\n0${line}\r\n\r\n${get(2)}`;
for (const line of [';a', ' ;a', '\t;a', '; a', ';\ta', ';a =b', ';a= b', ';a\t=\tb', ' ; a = b ; c', ';a="b"', ';a = "x; y\t\\""', ' \t ; a ; b="" ; c=d', ' ', ';', ';a ', ';a=', '; ;', '\t'])
  await compare(ends(line));
for (const field of ['Content-Length:\t5', 'Content-Length: 5\t', 'Content-Length:5 \t', 'Content-Length\t: 5', '\tContent-Length: 5', 'Content-Length: \t 5'])
  await compare(`POST /w HTTP/1.1\r\nHost: test\r\n${field}\r\n\r\nhello${get(2)}`);
check(permitted >= 10, 'Node refuses white space that RFC 9112 has a recipient take', permitted);

const until = Date.now() + scaled(+(process.env.DIFFERENTIAL_SECONDS ?? 20) * 1000);
const all = [swept(process.env.DIFFERENTIAL_SECONDS ? 1 : 13), thrown(Infinity)];
for (let turn = 0; Date.now() < until; turn++) {
  const next = all[turn % 2].next();
  if (next.done) all[turn % 2] = all[1];
  else await compare(next.value);
}
check(streams > 50, 'streams were compared', streams);
check(requests > streams / 6, 'many of them have requests', `${requests} of ${streams}`);
console.log(`${streams} streams, ${requests} requests at the origin; ${permitted} that Node refuses, and is wrong`);
await freshet.stop();
await freshet.clean();
for (const s of [origin, reference]) {
  s.close();
  s.closeAllConnections();
}
done();
