// Numbers and tables as text.

export function number(x, digits = 2) {
  if (x === undefined || x === null || Number.isNaN(x)) return '-';
  return x.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d)(?=\.|$))/g, (_, __, at, all) => (at < (all + '.').indexOf('.') ? ',' : ''));
}

export function size(bytes) {
  for (const [unit, n] of [['GB', 2 ** 30], ['MB', 2 ** 20], ['KB', 2 ** 10]]) {
    if (bytes >= n) return `${+(bytes / n).toFixed(bytes / n < 10 ? 1 : 0)} ${unit}`;
  }
  return `${bytes} B`;
}

// A Markdown table; all columns but the first are numbers, to the right.
export function table(columns, rows) {
  return [`| ${columns.join(' | ')} |`, `|${columns.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`,
    ...rows.map((r) => `| ${r.join(' | ')} |`)].join('\n');
}
