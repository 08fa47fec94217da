// Stands between a scenario's clients and freshet, so that scenarios written for HTTP/1.1 in clear are asked through another front
// (FRESHET_FRONT): `tls` wraps their bytes, `h2` makes each of their connections one connection with HTTP/2 over TLS.
// Usage: node relay.mjs tls|h2 FROM TO     both are Unix sockets
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';

const [, , mode, from, to] = process.argv;
// Nobody is asked for by name, so that a scenario may ask for any host.
const secured = (protocol) => tls.connect({ path: to, rejectUnauthorized: false, ALPNProtocols: [protocol], checkServerIdentity: () => undefined });

function through_tls(client) {
  const server = secured('http/1.1');
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroySoon());
    one.pipe(other);
  }
}

// ---- HTTP/2 ----

const hop_by_hop = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'host', 'http2-settings'];

function session_of(socket) {
  socket.session ??= http2.connect('https://relay', { createConnection: () => secured('h2') }).on('error', () => socket.destroy());
  socket.once('close', () => socket.session.close());
  return socket.session;
}

// Lines as they came; http2 wants one value for a name, or a list.
function fields_of(message) {
  const fields = {};
  for (let i = 0; i < message.rawHeaders.length; i += 2) {
    const name = message.rawHeaders[i].toLowerCase();
    if (hop_by_hop.includes(name)) continue;
    const value = message.rawHeaders[i + 1];
    fields[name] = name in fields ? [fields[name], value].flat() : value;
  }
  return fields;
}

const lines_of = (raw) => raw.reduce((all, x, i) => (i % 2 || x.startsWith(':') ? all : [...all, x, raw[i + 1]]), []);

function ask(req, res) {
  const { socket, method } = req;
  const head = { ':method': method, ':path': req.url, ':scheme': 'https', ...fields_of(req) };
  if (req.headers.host !== undefined) head[':authority'] = req.headers.host;
  const has_body = req.headers['content-length'] !== undefined || req.headers['transfer-encoding'] !== undefined;
  const stream = session_of(socket).request(head, { endStream: !has_body });
  let whole = false;
  stream.on('headers', (_, flags, raw) => {
    const lines = lines_of(raw).reduce((text, x, i) => text + (i % 2 ? `: ${x}\r\n` : x), '');
    socket.write(`HTTP/1.1 ${raw[raw.indexOf(':status') + 1]} Interim\r\n${lines}\r\n`);
  });
  stream.on('response', (headers, flags, raw) => {
    res.sendDate = false;
    res.writeHead(headers[':status'], http.STATUS_CODES[headers[':status']] ?? '', lines_of(raw));
    res.flushHeaders();
    stream.on('end', () => (whole = stream.rstCode === http2.constants.NGHTTP2_NO_ERROR));
    stream.pipe(res, { end: false });
  });
  stream.on('error', () => {});
  stream.on('close', () => (whole ? res.end() : socket.destroy()));
  res.on('close', () => stream.close(http2.constants.NGHTTP2_CANCEL));
  if (has_body) req.pipe(stream);
}

const server = mode === 'tls' ? net.createServer({ allowHalfOpen: true }, through_tls)
  : http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0, insecureHTTPParser: true, joinDuplicateHeaders: true }, ask)
    .on('checkContinue', ask);
server.listen(from);
