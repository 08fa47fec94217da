// A stored body that is purged or replaced while a slow reader takes it goes to him whole, and so it is when the settings are read anew
// meanwhile; it is not evicted as long as he takes it, since nothing would be free.
// scenarios S4, O6, V2
// Without send_rate_min: on a slow machine it would cut those who take nothing for five seconds while memory is short.
import fs from 'node:fs';
import { check, equal, scenario } from '../lib.mjs';

const size = 3_000_000;
let n = 0;
const answer = () => `HTTP/1.1 200 OK\r\nCache-Control: s-maxage=1800\r\nCache-Tag: t\r\nContent-Length: ${size}\r\n\r\n${`${n++} `.repeat(size).slice(0, size)}`;
const yaml = (url, strip) => `sites:\n  one:\n    origin: ${url}\n    strip_cdn_headers: ${strip}`;
await scenario({ answer, flags: ['--workers', '2', '--memory', '32M', '--send-timeout', '1h', '--send-rate-min', '0'], yaml: (url) => yaml(url, false) }, async ({ connect, ask, cases, freshet, origin }) => {
  const taken_away = {
    'purged, and fetched anew': async () => {
      equal((await freshet.api('POST', '/api/v1/purge', '{"cache_tags":["t"]}')).status, 202, 'purge');
      await ask('/purged');
    },
    'expired, and replaced': async () => {
      await freshet.advance('1801s');
      await ask('/expired');
    },
    'held while others come': async () => {
      for (let i = 0; i < 90; i++) await ask(`/other${Math.floor(i / 3)}`); // three times each: they stay, and would push it out
    },
    'of a site whose settings are others now': async () => {
      for (const [i, strip] of [true, false].entries()) {
        fs.writeFileSync('config.yaml', yaml(origin.url, strip));
        freshet.signal('HUP');
        await freshet.saying('reloaded', i + 1);
      }
      await ask('/of');
    },
  };
  for (const [how, take_away] of Object.entries(taken_away)) {
    const target = `/${how.split(/[ ,]/)[0]}`, first = (await ask(target)).body;
    const readers = Array.from({ length: 4 }, connect); // on both workers
    for (const c of readers) {
      await c.send(`GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`);
      await c.when('a beginning', () => c.text.includes('\r\n\r\n'));
      c.socket.pause();
    }
    await take_away();
    await cases.check(`${how}: he has all of it`, async () => {
      for (const c of readers) {
        c.socket.resume();
        const [r] = await c.answers();
        check(r.body === first, `${r.body.length} bytes, ${r.body.slice(0, 9)}`);
        check(/; hit/.test(r.fields['cache-status']), 'a hit');
        c.close();
      }
    });
    const stays = how.startsWith('held');
    await cases.check(`${how}: the next one gets ${stays ? 'the same' : 'another'}`, async () => check(((await ask(target)).body === first) === stays, first.slice(0, 9)));
  }
});
