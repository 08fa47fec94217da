// What an origin or a visitor puts into fields, tags or purges cannot write lines into an answer, a log or another field.
// hostile h3-14 (Response splitting)
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const bad = ['a\r\nX-Evil: 1', 'a\nX-Evil: 1', 'a\rX-Evil: 1', 'a\0b', 'a%0d%0aX-Evil: 1', 'a\\r\\nX-Evil: 1', 'a\u2028b'.normalize()];
let fields;
await scenario({ answer: () => reply('x', fields), flags: ['--access-log', 'access'] }, async ({ ask, cases, freshet }) => {
  for (const value of bad.slice(4)) {
    fields = { 'Cache-Control': 'max-age=60', 'Cache-Tag': Buffer.from(value).toString('latin1'), Location: Buffer.from(value).toString('latin1'), 'Netlify-Vary': 'query' };
    await cases.check(`a field with ${JSON.stringify(value)}`, async () => {
      const r = await ask(`/${bad.indexOf(value)}`);
      equal(r.fields['x-evil'], undefined);
    });
  }
  fields = {};
  for (const value of bad) {
    await cases.check(`a purge of ${JSON.stringify(value)}`, async () => {
      const { status, text } = await freshet.api('POST', '/api/v1/purge', JSON.stringify({ cache_tags: [value] }));
      check([202, 400].includes(status), `status ${status}`);
      check(!/^X-Evil/m.test(text), text);
    });
    await cases.check(`explain ${JSON.stringify(value)}`, async () => {
      const { text } = await freshet.api('GET', `/api/v1/explain?url=${encodeURIComponent('http://test/' + value)}`);
      check(!/^X-Evil/m.test(text), text);
    });
  }
  await ask('/log?"},{"evil":1', { 'User-Agent': '"}\\' });
  await ask('/log', { 'User-Agent': 'caf\xe9 \xff', Referer: '\t"' });
  await freshet.settle();
  await freshet.advance('2s');
  await cases.check('each line of the access log is one JSON object', async () => {
    let lines = [];
    await soon(() => {
      lines = fs.existsSync('access') ? fs.readFileSync('access', 'utf8').split('\n').filter(Boolean) : [];
      return lines.length >= 3;
    });
    for (const l of lines) check(!('evil' in JSON.parse(l)), l);
  });
  await cases.check('and no record of the log was forged', () => check(!/^X-Evil/m.test(freshet.log()), freshet.log()));
});
