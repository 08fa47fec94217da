// The suite's origin server on loopback: its own handlers for /config, /test and /state, and two things that its
// definitions cannot say and ours in additional.mjs need: `interim_responses` before the answer, `response_pause` seconds
// of waiting. With `h2` behind the port it speaks HTTP/2 in clear, and nothing else. Started by run.mjs as a process of its own, to which it reports its port; it ends with its parent.

import { createServer, STATUS_CODES } from 'node:http';
import * as http2 from 'node:http2';
import { setTimeout as wait } from 'node:timers/promises';
import handleConfig from 'http-cache-tests/server/handle-config.mjs';
import handleState from 'http-cache-tests/server/handle-state.mjs';
import handleTest from 'http-cache-tests/server/handle-test.mjs';
import { configs, sendResponse } from 'http-cache-tests/server/utils.mjs';

const speaksHttp2 = process.argv[3] === 'h2';

const sendInterim = (response, [status, fields = []]) => {
  if (speaksHttp2) return response.stream.additionalHeaders({ ':status': status, ...Object.fromEntries(fields) });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  response.socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines}\r\n`, 'latin1');
};

async function answerTest(segments, request, response) {
  const config = configs.get(segments[0])?.[Number(request.headers['req-num']) - 1] ?? {};
  for (const interim of config.interim_responses ?? []) sendInterim(response, interim);
  if (config.response_pause) await wait(config.response_pause * 1000);
  handleTest(segments, request, response);
}

// What concerns a connection has no place in HTTP/2, and node throws; of some fields it sends one line only. As by HTTP/1.1 a body
// that is there at once has a length.
const ofConnections = /^(connection|http2-settings|keep-alive|proxy-connection|te|transfer-encoding|upgrade)$/i;
const ofOneLine = /^(age|content-\w+|date|etag|expires|last-modified|location|retry-after)$/i;
function forgive(response) {
  const set = response.setHeader.bind(response), end = response.end.bind(response);
  response.end = (body) => {
    if (typeof body === 'string' && !response.headersSent && !response.hasHeader('content-length')) set('content-length', Buffer.byteLength(body));
    return end(body);
  };
  response.setHeader = (name, value) => ofConnections.test(name) || set(name, Array.isArray(value) && ofOneLine.test(name) ? value.join(', ') : value);
}

const server = (speaksHttp2 ? http2 : { createServer }).createServer(async (request, response) => {
  if (speaksHttp2) forgive(response);
  const [kind, ...segments] = new URL(request.url, 'http://origin').pathname.slice(1).split('/');
  try {
    if (kind === 'config') handleConfig(segments, request, response);
    else if (kind === 'test') await answerTest(segments, request, response);
    else if (kind === 'state') handleState(segments, request, response);
    else sendResponse(response, 404, `nothing at ${request.url}`);
  } catch (error) {
    console.log(`ERROR: ${request.method} ${request.url}: ${error.stack}`);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  }
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('disconnect', () => process.exit());
