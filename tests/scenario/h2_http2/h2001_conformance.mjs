// HTTP/2 row by row of RFC 9113, 7541, 8441 and 9218, over TLS: tests/conformance/h2.txt.
// hostile h2-05, h2-07
import tls from 'node:tls';
import { check, gate, reply, scenario } from '../lib.mjs';
import { Frames, rows, run_row } from '../h2.mjs';
import { address, certificate } from '../tls.mjs';

const end = gate();
const answer = (r) => {
  if (r.fields.upgrade) return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${r.fields.upgrade}\r\nConnection: Upgrade\r\n\r\n`;
  if (r.target === '/wait') return end.opened.then(() => reply(''));
  const n = /^\/(\d+)$/.exec(r.target);
  return n ? reply('b'.repeat(+n[1]), { 'CDN-Cache-Control': 'max-age=600' }) : reply('', {}, '404 Not Found');
};
// The limits that the rows know.
const flags = ['--header-bytes', '32K', '--origin-connections', '2000', '--https', address, ...certificate('test', ['test'])];
// Not over a socket: a client that sends more than the window, since the server of the rows takes it at once; whose server answers
// CONNECT by 404.
const elsewhere = [/^the connection's window opens again$/, /^CONNECT in its form, which is refused by an answer$/];
await scenario({ answer, flags }, async ({ cases, freshet }) => {
  const connect = (options = {}) => new Frames(tls.connect({ path: 'https', ALPNProtocols: ['h2'], rejectUnauthorized: false }), options);
  const all = rows().filter((r) => !elsewhere.some((e) => e.test(r.title)));
  // So that answers are there at once, as those of the rows' own server are. A POST ends that.
  const c = connect();
  for (const authority of ['a', 'a.example'])
    for (const path of new Set(all.flatMap((r) => [...r.steps.matchAll(/\/\d+/g)].map((m) => m[0]))))
      await c.get(path, {}, { authority, scheme: 'https' });
  c.close();
  const has_post = (r) => /POST/.test(r.steps);
  for (const some of [all.filter((r) => !has_post(r)), all.filter(has_post)]) {
    const one = async () => {
      for (let row; (row = some.shift()); ) await cases.check(`row ${row.line}`, () => run_row(() => connect({ start: false, opens: false }), row));
    };
    await Promise.all(Array.from({ length: 8 }, one));
  }
  check(all.length >= 249, `${all.length} rows`);
  await freshet.until('connections', '==', 0);
  end.open();
});
