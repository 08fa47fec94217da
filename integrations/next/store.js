// What the app itself keeps: pages, data of fetch() and of 'use cache', together within some megabytes, since freshet owns the pages.
// Both handlers share it, and Next may load them more than once in a process.

/** So many revalidated tags are remembered; with one more all entries go, so that no old one is taken for good. */
const MOST_TAGS = 20_000;
const LONGEST_RENDER_MS = 60_000;

/** The clock that Next stamps its entries with, in ms. */
export const now = () => performance.timeOrigin + performance.now();

export class Store {
  limit = 16 * 1024 * 1024;
  #bytes = 0;
  #entries = new Map(); // oldest use first
  #revalidated = new Map(); // tag -> when
  #forgotten = 0; // when tags were forgotten
  #begun = new Map(); // key -> when what is missing began to be made

  /** The value of `key`, if none of its tags and `moreTags` was revalidated since it was made. */
  get(key, moreTags = []) {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    this.#entries.delete(key);
    if (this.latest(entry.tags) >= entry.at || this.latest(moreTags) >= entry.at) {
      this.#bytes -= entry.size;
      return undefined;
    }
    this.#entries.set(key, entry);
    return entry.value;
  }

  /** `at`: when the value began to be made. One that is larger than the store is not kept. */
  set(key, value, { tags = [], at, size }) {
    const before = this.#entries.get(key);
    if (before) this.#bytes -= before.size;
    this.#entries.delete(key);
    if (size > this.limit || at <= this.#forgotten) return;
    this.#entries.set(key, { value, tags, at, size });
    this.#bytes += size;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.limit) break;
      this.#entries.delete(oldest);
      this.#bytes -= entry.size;
    }
  }

  /** Something is missing and will now be made. What is revalidated meanwhile shall find it old. */
  begin(key) {
    const before = this.#begun.get(key);
    if (before > now() - LONGEST_RENDER_MS) return;
    this.#begun.delete(key);
    this.#begun.set(key, now());
    const [oldest, at] = this.#begun.entries().next().value;
    if (at < now() - LONGEST_RENDER_MS || this.#begun.size > MOST_TAGS) this.#begun.delete(oldest);
  }

  /** When it began. */
  begunAt(key) {
    const at = this.#begun.get(key) ?? now();
    this.#begun.delete(key);
    return at;
  }

  /** None of what has one of these tags is good any more. */
  revalidate(tags) {
    if (this.#revalidated.size + tags.length > MOST_TAGS) {
      this.#entries.clear();
      this.#revalidated.clear();
      this.#bytes = 0;
      this.#forgotten = now();
    }
    for (const tag of tags) this.#revalidated.set(tag, now());
  }

  /** When the latest of these tags was revalidated; 0 for never. */
  latest(tags) {
    return tags.reduce((latest, tag) => Math.max(latest, this.#revalidated.get(tag) ?? 0), 0);
  }
}

/** About how many bytes a value takes. */
export function sizeOf(value) {
  if (value === null || value === undefined) return 0;
  if (typeof value === 'string') return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value !== 'object') return 8;
  const pairs = value instanceof Map ? [...value] : Object.entries(value);
  return pairs.reduce((all, [name, one]) => all + sizeOf(name) + sizeOf(one), 16);
}

const KEY = Symbol.for('@freshet/next:store');
export const store = (globalThis[KEY] ??= new Store());
