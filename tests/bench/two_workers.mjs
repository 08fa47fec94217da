// What a second worker costs by io_uring and by epoll, freshet beside the bare servers of both (docs/decisions/033-many-at-once.md): CPU us a
// hit of 1 KB, and the ratio to bare epoll in the same round. Another build: FRESHET=path. `make bench-programs` first.
// Usage: node tests/bench/two_workers.mjs [ROUNDS]      default: 5; half a minute a round
import { digest } from './lib/cell.mjs';
import { number } from './lib/text.mjs';
import { cost } from './tables/workers.mjs';

const names = ['bare', 'uring', 'freshet', 'freshet_epoll'];
const cells = await cost({ rounds: +(process.argv[2] ?? 5), seconds: 3, quick: true, have: names }, console.log, names);
const [one, two] = cells.map(({ cell }) => digest(cell));
for (const n of names) console.log(`${n.padEnd(14)} one ${number(one[n].ratio)}, two ${number(two[n].ratio)}, two / one ${number(two[n].ratio / one[n].ratio)}`);
