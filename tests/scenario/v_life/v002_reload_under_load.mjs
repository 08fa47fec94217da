// Reloads under load fail no request.
// scenarios V2
import fs from 'node:fs';
import { check, equal, reply, scenario, soon } from '../lib.mjs';

const yaml = (url, strip) => `sites:\n  one:\n    origin: ${url}\n    strip_cdn_headers: ${strip}`;
await scenario({ answer: (r) => reply(r.target, r.target.includes('s') ? { 'Cache-Control': 'max-age=60' } : {}), flags: ['--workers', '2'], yaml: (url) => yaml(url, false) },
  async ({ connect, cases, freshet, origin }) => {
    let going = true;
    let answered = 0;
    const load = async (id) => {
      for (let i = 0; going; i++) {
        const c = connect();
        for (const target of [`/s${i % 10}`, `/p${id}x${i}`]) {
          const before = c.responses().length;
          await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
          const r = (await c.answers(before + 1)).at(-1);
          equal(`${r.status} ${r.body}`, `200 ${target}`);
          answered++;
        }
        c.close();
      }
    };
    const all = Array.from({ length: 10 }, (_, i) => load(i));
    for (let i = 1; i <= 30; i++) {
      fs.writeFileSync('config.yaml', yaml(origin.url, i % 2 === 1));
      freshet.signal('HUP');
      await freshet.saying('reloaded', i);
      await soon(() => answered >= 20 * i);
    }
    going = false;
    await cases.check('no request failed', () => Promise.all(all));
    await cases.check('there was a load', () => check(answered >= 600, `${answered} answers`));
  });
