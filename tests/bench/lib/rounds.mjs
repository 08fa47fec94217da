// Rounds, and what is made of them.

export function median(list) {
  const s = list.filter((x) => x !== undefined && !Number.isNaN(x)).sort((a, b) => a - b);
  if (s.length === 0) return undefined;
  return s.length % 2 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
}

// A B C D, A B C D, …: whatever the machine does besides falls on all of them. Calls one(name) and collects its numbers:
// { name: { figure: [a round each] } }.
export async function interleaved(names, rounds, one) {
  const all = Object.fromEntries(names.map((n) => [n, {}]));
  for (let r = 0; r < rounds; r++) {
    for (const name of names) {
      for (const [figure, x] of Object.entries(await one(name, r))) (all[name][figure] ??= []).push(x);
    }
  }
  return all;
}

// The ratio is that of the same round, then the median: what slows a whole round does not count.
export function ratio(of, to) {
  return median(of.map((x, i) => x / to[i]));
}
