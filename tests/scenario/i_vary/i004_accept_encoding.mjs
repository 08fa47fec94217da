// With compress: false Accept-Encoding is brought into one form: the strings of all browsers make few variants, and the origin is sent that form.
// scenarios I4, CACHING.md 4.9
import { check, equal, reply, scenario } from '../lib.mjs';

const strings = ['gzip', 'gzip, deflate', 'gzip,deflate', 'gzip, deflate, sdch', 'gzip, deflate, br', 'gzip, deflate, br, zstd', 'br, gzip, deflate',
  'br;q=1.0, gzip;q=0.8, *;q=0.1', 'deflate, gzip;q=1.0, *;q=0.5', 'GZIP', 'gzip;q=1', 'gzip ;q=0.5', 'gzip, br', 'br , gzip', 'br,gzip', 'identity',
  'gzip;q=0', 'br;q=0, gzip', '*;q=0', 'zstd, br, gzip, deflate', 'compress, gzip', '', 'x-gzip', 'deflate'];
const forms = new Set(['', 'gzip', 'br, gzip', 'br, gzip, zstd', 'br,gzip', 'br,gzip,zstd']);
const answer = (r) => reply(`for ${r.fields['accept-encoding'] ?? ''}`, { 'Cache-Control': 'max-age=60', Vary: 'Accept-Encoding' });
await scenario({ answer, flags: ['--compress', 'false'] }, async ({ ask, cases, origin }) => {
  for (const s of strings) {
    const r = await ask('/', { 'Accept-Encoding': s });
    // RFC 9110 §12.5.3: * stands for what is not named, x-gzip for gzip.
    const q = new Map(s.toLowerCase().split(',').map((x) => x.trim().split(/ *; */)).map(([n, w]) => [n.replace('x-gzip', 'gzip'), !/^q=0(\.0*)?$/.test(w ?? '')]));
    const names = ['br', 'gzip', 'zstd'].filter((n) => q.get(n) ?? q.get('*') ?? false).join();
    await cases.check(`"${s}"`, () => equal(r.body.slice(4).replace(/\s/g, ''), names));
  }
  await cases.check('few variants', () => check(origin.requests.length <= 4, `${origin.requests.length} requests`));
  for (const r of origin.requests) {
    await cases.check('the origin is sent one of the forms', () => check(forms.has(r.fields['accept-encoding'] ?? ''), r.fields['accept-encoding']));
  }
});
