// Counts what this process rendered, so that anyone can see what the cache spared it: /api/renders.json.

const MOST_PATHS = 1000;

const pages = new Map<string, number>();
let total = 0;

export function countRender(path: string): number {
  if (pages.has(path) || pages.size < MOST_PATHS) pages.set(path, (pages.get(path) ?? 0) + 1);
  return ++total;
}

export const renders = () => ({ total, pages: Object.fromEntries(pages) });
