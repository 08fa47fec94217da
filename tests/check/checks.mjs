// Files whose structs live long state what must hold: checks.txt says how many CHECKs they have at least in 1,000 lines.
// `--report` (make tidy) prints how many they have.
import { bare, done, files, finding, read, table } from './lib.mjs';

const sources = files('.c');
let seen = 0;

for (const [least, ...patterns] of table('checks.txt')) {
  const name = patterns.join(' ');
  const wanted = patterns.map((p) => new RegExp(`^src/${p.replaceAll('.', '\\.').replaceAll('*', '\\w*')}$`));
  const mine = sources.filter((f) => wanted.some((w) => w.test(f)));
  let checks = 0, lines = 0;
  for (const file of mine) {
    const text = read(file);
    lines += text.split('\n').length - 1;
    checks += bare(text).match(/\bCHECK(_DEBUG)?\(/g)?.length ?? 0;
  }
  seen += mine.length;
  const rate = lines > 0 ? (1000 * checks) / lines : 0;
  if (mine.length === 0) finding('tests/check/checks.txt', 1, `no file is ${name}`);
  else if (rate < least) finding(mine[0], 1, `${name}: ${checks} CHECKs in ${lines} lines; ${least} in 1,000 are the least`);
  if (process.argv.includes('--report')) console.log(`${rate.toFixed(0).padStart(5)} CHECKs in 1,000 lines  ${name}`);
}
done('checks', seen, 'sources');
