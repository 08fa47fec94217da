// An answer of the origin that is malformed or over a limit says in which way: in the log, the access log, status and explain; a limit is
// called one and names its setting. The visitor sees only the kind.
// CACHING.md 6.5, 6.7
import fs from 'node:fs';
import { check, equal, hangup, reply, scenario, soon } from '../lib.mjs';

const head = (lines, body = 'hello') => `HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n${lines.map((l) => l + '\r\n').join('')}\r\n${body}`;
const chunked = (body) => head(['Transfer-Encoding: chunked'], body);
const early = 'HTTP/1.1 103 Early Hints\r\n\r\n';

// The word, what the origin sends, and what people read; with a third one the setting of a limit, or '' for one without.
const faults = [
  ['line-ending', head(['X: a\nContent-Length: 5']), 'a line does not end in CR LF'],
  ['status-line', reply('x', {}, '20 OK'), 'malformed status line'],
  ['status-code', reply('x', {}, '999 OK'), 'a status that is none of 100 to 599'],
  ['version', reply('x').replace('HTTP/1.1', 'HTTP/1.2'), 'malformed or unknown HTTP version'],
  ['version-unsupported', reply('x').replace('HTTP/1.1', 'HTTP/2.0'), 'only HTTP/1.0 and HTTP/1.1 are spoken here'],
  ['field-name', head(['Content-Length : 5']), 'malformed field name'],
  ['field-disguised', head(['Content_Length: 5']), 'a field name that others may read'],
  ['field-value', head(['X: a\0b', 'Content-Length: 5']), 'control character in a field value'],
  ['field-folded', head(['X: a', ' b', 'Content-Length: 5']), 'obs-fold'],
  ['content-length', head(['Content-Length: +5']), 'malformed Content-Length'],
  ['content-length-repeated', head(['Content-Length: 5', 'Content-Length: 5']), 'more than one Content-Length'],
  ['length-and-encoding', head(['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'), 'both Content-Length and Transfer-Encoding'],
  ['transfer-encoding', head(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n'), 'a Transfer-Encoding other than chunked alone'],
  ['transfer-encoding-1-0', chunked('0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0'), 'Transfer-Encoding in an HTTP/1.0 message'],
  ['upgrade-unasked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'a 101 to a request'],
  ['not-modified-unasked', 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', 'a 304 to a request without a condition'],
  ['chunk-size', chunked('0x5\r\nhello\r\n0\r\n\r\n'), 'malformed chunk size', 'body'],
  ['chunk-extension', chunked('5;=\r\nhello\r\n0\r\n\r\n'), 'malformed chunk extension', 'body'],
  ['chunk-end', chunked('4\r\nhello\r\n0\r\n\r\n'), 'chunk data does not end where its size says', 'body'],
  ['trailer', chunked('0\r\nX : y\r\n\r\n'), 'malformed trailer field', 'body'],
  ['trailer-forbidden', chunked('0\r\nContent-Length: 5\r\n\r\n'), 'a trailer field that belongs into the head', 'body'],
];
const limits = [
  ['fields-too-large', 'response_header_bytes', head([`X: ${'a'.repeat(65536)}`, 'Content-Length: 5'])],
  ['fields-too-many', 'response_header_count', head([...Array.from({ length: 300 }, (_, i) => `X${i}: a`), 'Content-Length: 5'])],
  ['status-line-too-long', '', reply('x', {}, `200 ${'O'.repeat(8192)}`)],
  ['interims-too-many', '', early.repeat(65) + reply('x')],
  ['chunk-extensions-too-large', '', chunked(`5;a=${'b'.repeat(16384)}\r\nhello\r\n0\r\n\r\n`), 'body'],
  ['trailers-too-large', '', chunked(`0\r\nX: ${'y'.repeat(16384)}\r\n\r\n`), 'body'],
];
const rows = [...faults.map(([word, sent, text, where]) => ({ word, sent, text, where, reason: 'origin-invalid', detail: word })),
  ...limits.map(([word, setting, sent, where]) => ({ word, sent, where, reason: 'origin-limit', text: setting && `(setting ${setting})`,
    detail: setting ? `${word}, ${setting}` : word }))];
const kinds = { 'origin-invalid': "502 Bad Gateway\n\nThe origin's answer is malformed.", 'origin-limit': "502 Bad Gateway\n\nThe origin's answer is over a limit of freshet's." };
const records = () => fs.readFileSync('access', 'utf8').split('\n').slice(0, -1).map(JSON.parse);
const answer = (r) => (r.target === '/gone' ? hangup : rows[+r.target.slice(1)].sent);

await scenario({ answer, flags: ['--access-log', 'access'] }, async ({ cases, connect, freshet, ask }) => {
  const origin = async () => JSON.parse((await freshet.api('GET', '/api/v1/status')).text).origins[0];
  const seen = [];
  for (const i of rows.keys()) {
    const c = connect();
    await c.send(`GET /${i} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`);
    await c.closed();
    seen.push({ text: c.text, status: await origin() });
    c.close();
  }
  await soon(() => fs.existsSync('access') && records().length === rows.length);
  for (const [i, row] of rows.entries()) {
    await cases.check(row.word, async () => {
      const record = records().find((r) => r.url === `/${i}`);
      equal(`${record.reason}: ${record.detail}`, `${row.reason}: ${row.detail}`, 'access log');
      const { last_reason, last_fault, last_reason_text } = seen[i].status;
      equal(`${last_reason}: ${last_fault}`, `${row.reason}: ${row.word}`, 'status');
      if (row.text) check(last_reason_text.includes(row.text), `status: ${last_reason_text}`);
      check(freshet.log().includes(`GET test/${i}: ${last_reason_text} (site`), `the log has no "GET test/${i}: ${last_reason_text}"`);
      if (row.where === 'body' && seen[i].text) return; // the head was out: the connection is cut
      const [shown, body] = seen[i].text.slice(seen[i].text.lastIndexOf('HTTP/1.1 ')).split('\r\n\r\n'); // behind interim ones
      check(shown.includes(`Cache-Status: freshet; fwd=uri-miss; detail=${row.reason}\r\n`), shown);
      check(body.startsWith(kinds[row.reason] + '\nRequest '), body);
      check(!body.includes(row.word) && !shown.includes(row.word), 'the visitor sees the fault');
    });
  }
  await cases.check('explain and the command line tell the last one', async () => {
    const { last_fault, last_reason_text } = JSON.parse((await freshet.api('GET', '/api/v1/explain?url=http://test/0')).text).origin;
    equal(last_fault, rows.at(-1).word, 'explain');
    check(freshet.run('explain', 'http://test/0').stdout.includes(`failing: ${last_reason_text}`), 'the command line');
  });
  await cases.check('another failure has no fault', async () => {
    equal((await ask('/gone')).status, 502);
    const { last_reason, last_fault } = await origin();
    equal(`${last_reason}: ${last_fault}`, 'origin-closed: undefined');
  });
});
