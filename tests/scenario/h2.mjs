// What scenarios with HTTP/2 are made of: a client that writes frames as it likes and reads what comes, and the language of the rows in
// tests/conformance/h2.txt, which says what they mean.
import fs from 'node:fs';
import net from 'node:net';
import { Raw, equal, soon } from './lib.mjs';

const source = new URL('../../', import.meta.url);

export const type = { DATA: 0, HEADERS: 1, PRIORITY: 2, RST_STREAM: 3, SETTINGS: 4, PUSH_PROMISE: 5, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8,
  CONTINUATION: 9, PRIORITY_UPDATE: 16 };
export const codes = ['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED',
  'FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM', 'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED'];
export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

// ---- writing ----

export const number = (value, bytes) => {
  const b = Buffer.alloc(bytes);
  for (let i = bytes - 1, v = BigInt(value); i >= 0; i--, v >>= 8n) b[i] = Number(v & 255n);
  return b;
};

export function frame(kind, flags, stream, payload = '') {
  const p = Buffer.isBuffer(payload) ? payload : Buffer.from(payload, 'latin1');
  return Buffer.concat([number(p.length, 3), number(kind, 1), number(flags, 1), number(stream, 4), p]);
}

function integer(first, prefix, value) {
  const most = (1 << prefix) - 1;
  if (value < most) return Buffer.from([first | value]);
  const out = [first | most];
  for (value -= most; value >= 128; value = Math.floor(value / 128)) out.push(128 | (value % 128));
  return Buffer.from([...out, value]);
}

const text = (s) => {
  const b = Buffer.from(s, 'latin1');
  return Buffer.concat([integer(0, 7, b.length), b]);
};

// A block of literals without indexing: pairs of name and value.
export function block(fields) {
  return Buffer.concat(fields.flatMap(([n, v]) => [Buffer.from([0]), text(n), text(v)]));
}

// The usual pseudo-fields, then others.
export function head(path = '/', fields = {}, { method = 'GET', scheme = 'http', authority = 'test', more = [] } = {}) {
  return block([[':method', method], [':scheme', scheme], [':path', path], [':authority', authority], ...more,
    ...(Array.isArray(fields) ? fields : Object.entries(fields))]);
}

// Frames of an answer.
export const answer_head = (id, fields = [], end = false, status = '200') => frame(type.HEADERS, 4 | (end ? 1 : 0), id, block([[':status', status], ...fields]));
export const answer_data = (id, text, end = true) => frame(type.DATA, end ? 1 : 0, id, text);

export const settings = (values = {}, flags = 0) => frame(type.SETTINGS, flags, 0,
  Buffer.concat(Object.entries(values).flatMap(([id, v]) => [number(id, 2), number(v, 4)])));
export const ping = (ack = false) => frame(type.PING, ack ? 1 : 0, 0, '12345678');
export const window_update = (stream, by) => frame(type.WINDOW_UPDATE, 0, stream, number(by, 4));
export const reset = (stream, code = 8) => frame(type.RST_STREAM, 0, stream, number(code, 4));

// ---- reading ----

const static_names = [''].concat(`:authority :method :method :path :path :scheme :scheme :status :status :status :status :status :status :status
  accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control
  content-disposition content-encoding content-language content-length content-location content-range content-type cookie date etag expect
  expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards
  proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie strict-transport-security transfer-encoding
  user-agent vary via www-authenticate`.split(/\s+/));
const static_values = { 8: '200', 9: '204', 10: '206', 11: '304', 12: '400', 13: '404', 14: '500', 2: 'GET', 3: 'POST', 4: '/', 5: '/index.html',
  6: 'http', 7: 'https', 16: 'gzip, deflate' };

let huffman; // by `${bits}`: the byte
function unhuffman(bytes) {
  if (!huffman) {
    huffman = new Map();
    const rows = fs.readFileSync(new URL('src/tbl/hpack_huffman.h', source), 'utf8').matchAll(/HPACK_SYMBOL\((0x[0-9a-f]+), *(\d+)\)/g);
    [...rows].slice(0, 256).forEach(([, bits, n], i) => huffman.set(Number(bits).toString(2).padStart(+n, '0'), i));
  }
  let out = '', bits = '';
  for (const b of bytes)
    for (let i = 7; i >= 0; i--) {
      bits += (b >> i) & 1;
      if (huffman.has(bits)) {
        out += String.fromCharCode(huffman.get(bits));
        bits = '';
      }
    }
  if (bits.length > 7 || bits.includes('0')) throw new Error('Huffman code: padding');
  return out;
}

// A block of freshet's: [name, value] pairs. It never writes into our dynamic table.
export function unblock(b) {
  const out = [];
  let at = 0;
  const take = (prefix) => {
    const most = (1 << prefix) - 1;
    let value = b[at++] & most;
    if (value < most) return value;
    for (let shift = 1; ; shift *= 128) {
      value += (b[at] & 127) * shift;
      if (!(b[at++] & 128)) return value;
    }
  };
  const string = () => {
    const coded = b[at] & 128, n = take(7), bytes = b.subarray(at, (at += n));
    return coded ? unhuffman(bytes) : bytes.toString('latin1');
  };
  while (at < b.length) {
    const first = b[at];
    if (first & 128) {
      const i = take(7);
      if (!(i in static_values)) throw new Error(`HPACK: row ${i} as a whole`);
      out.push([static_names[i], static_values[i]]);
    } else if ((first & 0xe0) === 0x20) {
      if (take(5) !== 0 || out.length) throw new Error('HPACK: a size of the table');
    } else {
      if (first & 64) throw new Error('HPACK: an entry of the dynamic table');
      const i = take(4);
      const name = i ? static_names[i] : string();
      if (name !== name.toLowerCase()) throw new Error(`HPACK: ${name} in upper case`);
      out.push([name, string()]);
    }
  }
  return out;
}

// Calls each(type, flags, id, payload) for each whole frame; returns the bytes that are left.
export function take_frames(bytes, each) {
  for (let n; bytes.length >= 9 && bytes.length >= 9 + (n = bytes.readUIntBE(0, 3));) {
    const payload = bytes.subarray(9, 9 + n);
    each(bytes[3], bytes[4], bytes.readUInt32BE(5), payload);
    bytes = bytes.subarray(9 + n);
  }
  return bytes;
}

// The same of what a client sends on a socket, behind its preface.
export function client_frames(socket, each) {
  let left = Buffer.alloc(0), begun = false;
  socket.on('data', (d) => {
    left = Buffer.concat([left, d]);
    if (!begun && left.length >= preface.length) {
      equal(left.subarray(0, preface.length).toString('latin1'), preface, 'the preface');
      left = left.subarray(preface.length);
      begun = true;
    }
    if (begun) left = take_frames(left, each);
  });
}

// An origin that speaks HTTP/2 and says what it is told to: `answer` gets each request, which `seen` has as {id, name, method, fields, on: its
// connection}. `made` are the connections, with what they reset. One that comes while it is `mute` hears nothing before its speak();
// `values` are its settings.
export class FrameOrigin {
  constructor(answer) {
    Object.assign(this, { answer, made: [], seen: [], mute: false, values: { 3: 100 }, sockets: new Set() });
  }

  async listen(port = 0) {
    this.server = net.createServer({ noDelay: true }, (s) => this.#serve(s));
    await new Promise((r) => this.server.listen(port, '127.0.0.1', r));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  // Nobody is there any more: connections are refused.
  close() {
    for (const s of this.sockets) s.destroy();
    return new Promise((r) => this.server.close(r));
  }

  #serve(s) {
    const me = { n: this.made.length, resets: [], ended: false, socket: s };
    this.made.push(me);
    s.on('error', () => {});
    this.sockets.add(s);
    s.on('close', () => {
      this.sockets.delete(s);
      me.ended = true;
    });
    me.send = (bytes) => [bytes].flat(2).forEach((b) => s.destroyed || s.write(b));
    me.speak = () => this.#speak(s, me);
    if (!this.mute) me.speak();
  }

  #speak(s, me) {
    me.send(settings(this.values));
    client_frames(s, (kind, flags, id, payload) => {
      if (kind === type.SETTINGS && !(flags & 1)) me.send(settings({}, 1));
      if (kind === type.PING && !(flags & 1)) me.send(ping(true));
      if (kind === type.RST_STREAM) me.resets.push(id);
      if (kind !== type.HEADERS) return;
      const fields = Object.fromEntries(unblock(payload)), r = { id, name: fields[':path'].slice(1), on: me, method: fields[':method'], fields };
      this.seen.push(r);
      this.answer(r);
    });
  }
}

// A connection that sends frames as they are and takes apart all that comes: `frames` in their order, and `streams` by id: {heads, head,
// fields, status, body, bytes, ended, reset}.
export class Frames extends Raw {
  // `opens`: it takes all that comes, and opens the windows again.
  constructor(where, { start = true, values = {}, opens = true } = {}) {
    super(where);
    this.frames = [];
    this.streams = {};
    this.goaway = []; // {last, code, text}
    this.acks = this.pongs = this.resets = 0;
    this.left = Buffer.alloc(0);
    this.socket.removeAllListeners('data');
    this.socket.on('data', (d) => this.#take(d));
    this.socket.on('error', () => {});
    this.next = 1;
    this.keeps_bodies = true;
    this.opens = opens;
    if (start) this.send(Buffer.concat([Buffer.from(preface), settings(values)]));
  }

  #take(d) {
    this.left = take_frames(this.left.length ? Buffer.concat([this.left, d]) : d, (...f) => this.#frame(...f));
  }

  stream(id) {
    return (this.streams[id] ??= { heads: [], body: '', bytes: 0, ended: false, reset: undefined });
  }

  #frame(kind, flags, id, payload) {
    this.frames.push({ type: kind, flags, id, n: payload.length, payload: kind === type.DATA ? undefined : Buffer.from(payload) });
    const s = id && this.stream(id);
    if (kind === type.HEADERS || kind === type.CONTINUATION) {
      this.part = Buffer.concat([...(kind === type.HEADERS ? [] : [this.part]), payload]);
      if (kind === type.HEADERS) s.ended ||= (flags & 1) > 0;
      if (!(flags & 4)) return;
      const pairs = unblock(this.part);
      const fields = Object.fromEntries(pairs);
      s.heads.push({ pairs, fields, status: +fields[':status'] });
      Object.assign(s, { fields, status: +fields[':status'] });
    } else if (kind === type.DATA) {
      s.bytes += payload.length;
      if (this.keeps_bodies) s.body += payload.toString('latin1');
      s.ended ||= (flags & 1) > 0;
      if (this.opens && payload.length)
        this.socket.write(Buffer.concat([window_update(0, payload.length), ...(s.ended ? [] : [window_update(id, payload.length)])]));
    } else if (kind === type.RST_STREAM) {
      s.reset = codes[payload.readUInt32BE(0)];
      this.resets++;
    } else if (kind === type.SETTINGS) {
      if (flags & 1) this.acks++;
      else {
        this.settings = {};
        for (let i = 0; i < payload.length; i += 6) this.settings[payload.readUInt16BE(i)] = payload.readUInt32BE(i + 2);
      }
    } else if (kind === type.PING) {
      if (flags & 1) this.pongs++;
      else this.asked = true;
    } else if (kind === type.GOAWAY) {
      this.goaway.push({ last: payload.readUInt32BE(0), code: codes[payload.readUInt32BE(4)], text: payload.toString('latin1', 8) });
    }
  }

  // Sends a request; returns its stream. `ends`: without a body.
  request(path, fields, { ends = true, ...options } = {}) {
    const id = this.next;
    this.next += 2;
    this.send(frame(type.HEADERS, (ends ? 1 : 0) | 4, id, head(path, fields, options)));
    return id;
  }

  data(id, bytes, ends = false) {
    return this.send(frame(type.DATA, ends ? 1 : 0, id, typeof bytes === 'number' ? 'd'.repeat(bytes) : bytes));
  }

  // The stream when it is whole, or reset.
  async whole(id) {
    await this.when(`the end of stream ${id}`, () => this.streams[id]?.ended || this.streams[id]?.reset || this.ended);
    return this.stream(id);
  }

  async get(path, fields, options) {
    return this.whole(this.request(path, fields, options));
  }

  async pong() {
    const n = this.pongs;
    await this.send(ping());
    await this.when('an answer to PING', () => this.pongs > n || this.ended);
  }
}

// ---- the rows of tests/conformance/h2.txt ----

export function rows() {
  return fs.readFileSync(new URL('tests/conformance/h2.txt', source), 'utf8').split('\n')
    .map((line, i) => ({ line: i + 1, parts: line.split('|').map((p) => p.trim()) })).filter(({ parts }) => parts.length === 4 && !parts[0].startsWith('#'))
    .map(({ line, parts: [section, title, steps, expected] }) => ({ line, section, title, steps, expected }));
}

const numeral = (s) => (s.startsWith('0x') ? parseInt(s, 16) : /^\d+$/.test(s) ? Number(s) : NaN);
const unescape = (s) => {
  let out = '';
  for (let i = 0; i < s.length; i++) {
    if (s[i] === '%' && i + 2 < s.length) {
      out += String.fromCharCode(parseInt(s.slice(i + 1, i + 3), 16));
      i += 2;
    } else if (s[i] === '*' && /\d/.test(s[i + 1] ?? '')) return out + 'a'.repeat(parseInt(s.slice(i + 1), 10));
    else out += s[i];
  }
  return out;
};

function field_list(list) {
  const out = [];
  for (let one of list ? list.split('&') : []) {
    const times = /^(\d+)~(.*)$/s.exec(one);
    if (times) one = times[2];
    const cut = one.indexOf('=');
    const pair = block([[unescape(cut < 0 ? one : one.slice(0, cut)), unescape(cut < 0 ? '' : one.slice(cut + 1))]]);
    for (let n = times ? +times[1] : 1; n > 0; n--) out.push(pair);
  }
  return Buffer.concat(out);
}

function row_block(what) {
  let part = 1, parts = 1;
  const slash = /^(.*)@(\d+)\/(\d+)$/s.exec(what);
  if (slash) [what, part, parts] = [slash[1], +slash[2], +slash[3]];
  else if (what.includes('@')) what = what.slice(0, what.indexOf('@'));
  const base = (m) => field_list(`:method=${m}&:scheme=https&:path=/10&:authority=a.example`);
  let whole;
  if (what.startsWith('hex:')) whole = Buffer.from(what.slice(4), 'hex');
  else if (what.startsWith('[')) whole = field_list(what.slice(1, -1));
  else {
    const plus = what.indexOf('+');
    const name = plus < 0 ? what : what.slice(0, plus);
    const bomb = () => Buffer.concat([base('GET'), Buffer.from('400178', 'hex'), text('a'.repeat(3900)), Buffer.alloc(200, 0xbe)]);
    const first = { GET: () => base('GET'), POST: () => base('POST'), BOMB: bomb, NONE: () => Buffer.alloc(0) }[name]();
    whole = Buffer.concat([first, field_list(plus < 0 ? '' : what.slice(plus + 1))]);
  }
  const n = whole.length;
  return whole.subarray(Math.floor((n * (part - 1)) / parts), Math.floor((n * part) / parts));
}

function row_flags(words, stream) {
  const f = { bits: 0, padding: 0, claimed: 0 };
  for (const one of (words ?? '-').split(',')) {
    if (one === 'es' || one === 'ack') f.bits |= 1;
    else if (one === 'eh') f.bits |= 4;
    else if (one.startsWith('pad=')) [f.padded, f.padding, f.claimed] = [true, +one.slice(4), +one.slice(4)];
    else if (one.startsWith('badpad=')) [f.padded, f.claimed] = [true, +one.slice(7)];
    else if (one === 'prio' || one === 'selfprio') [f.prio, f.dependency] = [true, one === 'prio' ? 0 : stream];
    else if (one.startsWith('0x')) f.bits |= numeral(one);
  }
  f.bits |= (f.padded ? 8 : 0) | (f.prio ? 0x20 : 0);
  return f;
}

// The client's bytes of a row's steps.
export function script(steps) {
  const out = [];
  let next = 1;
  const id_of = (word) => {
    if (word === 'next') return (next += 2) - 2;
    const id = numeral(word);
    if (id >= next && id % 2) next = id + 2;
    return id;
  };
  const code_of = (name) => (codes.includes(name) ? codes.indexOf(name) : numeral(name));
  const content = (kind, words) => {
    const id = id_of(words[0]), f = row_flags(words[1], id);
    const payload = kind === type.DATA ? Buffer.alloc(numeral(words[2]), 'd') : row_block(words.slice(2).join(' '));
    out.push(frame(kind, f.bits, id, Buffer.concat([...(f.padded ? [number(f.claimed, 1)] : []),
      ...(f.prio ? [number(f.dependency, 4), number(15, 1)] : []), payload, Buffer.alloc(f.padding)])));
  };
  const names = { table: 1, push: 2, concurrent: 3, window: 4, frame: 5, list: 6, connect: 8, no7540: 9 };
  const step = (line) => {
    const [verb, ...words] = line.trim().split(/\s+/);
    const times = /^(\d+)x$/.exec(verb);
    if (times) {
      for (let n = +times[1]; n > 0; n--) step(line.trim().slice(verb.length));
      return;
    }
    const small = {
      rapid: () => {
        const id = next;
        content(type.HEADERS, ['next', 'es,eh', '[:method=GET&:scheme=https&:path=/wait&:authority=a]']);
        out.push(reset(id, 8));
      },
      headers: () => content(type.HEADERS, words),
      continuation: () => content(type.CONTINUATION, words),
      data: () => content(type.DATA, words),
      settings: () => out.push(frame(type.SETTINGS, words.includes('ack') ? 1 : 0, 0, Buffer.concat(words.filter((w) => w !== 'ack').map((w) => {
        const [name, value] = w.split('=');
        return Buffer.concat([number(names[name] ?? numeral(name), 2), number(numeral(value), 4)]);
      })))),
      frame: () => out.push(frame(numeral(words[0]), numeral(words[1]), numeral(words[2]),
        words[3]?.startsWith('len=') ? Buffer.alloc(numeral(words[3].slice(4))) : Buffer.from(words[3] ?? '', 'hex'))),
      raw: () => out.push(Buffer.from(words[0], 'hex')),
      text: () => out.push(Buffer.from(unescape(words.join(' ')), 'latin1')),
      preface: () => out.push(Buffer.from(preface)),
      bare: () => {},
      rst: () => out.push(reset(numeral(words[0]), code_of(words[1]))),
      window: () => out.push(window_update(numeral(words[0]), numeral(words[1]))),
      priority: () => out.push(frame(type.PRIORITY, 0, numeral(words[0]), Buffer.concat([number(numeral(words[1]), 4), number(15, 1)]))),
      update: () => out.push(frame(type.PRIORITY_UPDATE, 0, 0, Buffer.concat([number(numeral(words[0]), 4), Buffer.from(words.slice(1).join(' '))]))),
      ping: () => out.push(ping(words.length > 0)),
      goaway: () => out.push(frame(type.GOAWAY, 0, 0, Buffer.concat([number(0, 4), number(code_of(words[0]), 4)]))),
    };
    if (!small[verb]) throw new Error(`no such step: ${line}`);
    small[verb]();
  };
  if (!steps.startsWith('bare')) ['preface', 'settings'].forEach(step);
  for (const one of steps.split(';')) if (one.trim()) step(one);
  return Buffer.concat(out);
}

// What the server said, as the rows have it.
function lines_of(c) {
  const out = [];
  for (const [id, s] of Object.entries(c.streams)) {
    for (const h of s.heads) out.push(`answer ${id} ${h.status}`);
    if (s.ended) out.push(`end ${id} ${s.bytes}`);
    if (s.bytes) out.push(`data ${id} ${s.bytes}`);
    if (s.reset) out.push(`rst ${id} ${s.reset}`);
  }
  for (const f of c.frames) if (f.type === type.WINDOW_UPDATE) out.push(`window ${f.id}`);
  for (let i = 0; i < c.acks; i++) out.push('ack');
  for (let i = 0; i < c.pongs; i++) out.push('pong');
  for (const g of c.goaway) out.push(`goaway ${g.code}`);
  return out;
}

// What a row expects and has not come; '': it is as expected, so far.
function lacks(c, expected) {
  const said = lines_of(c);
  const count = (line) => said.filter((s) => s === line || s.startsWith(line + ' ')).length;
  let goaway = false, resets = 0;
  for (const one of expected.split(';').map((s) => s.trim()).filter((s) => s && s !== 'alive')) {
    const no = one.startsWith('no ');
    const n = count(no ? one.slice(3) : one);
    if (n > 0 === no) return one;
    if (one.startsWith('goaway') && !no) goaway = true;
    if (one.startsWith('rst') && !no) resets += n;
  }
  if (!goaway && c.pongs === 0) return 'an answer to PING';
  if ((c.goaway.length > 0) !== goaway) return goaway ? 'goaway' : `no goaway ${c.goaway[0].code} ${c.goaway[0].text}`;
  return !goaway && count('rst') !== resets ? 'no other rst' : '';
}

// Runs a row on a connection of its own; throws when it is not as expected. `pieces`: bytes that are written at a time.
export async function run_row(connect, row) {
  const c = connect();
  try {
    await c.send(script(row.steps));
    await c.send(ping());
    await soon(() => lacks(c, row.expected) === '' || (c.ended && c.goaway.length), 10_000).catch(() => {});
    const lack = lacks(c, row.expected);
    if (lack) throw new Error(`h2.txt:${row.line}: ${row.section}: ${row.title}: ${lack}; said: ${lines_of(c).join(', ').slice(0, 600)}`);
  } finally {
    c.close();
  }
}
