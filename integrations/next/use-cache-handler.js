// Next's `cacheHandlers.default`: what 'use cache' keeps, in the same store. What is old is never given out: who asks is making a page
// that freshet will keep, and while it is made freshet shows the old one.

import { now, sizeOf, store } from './store.js';

const pending = new Map(); // key -> the set() that runs

export default {
  async get(key, softTags) {
    await pending.get(key);
    const found = store.get(`use:${key}`, softTags);
    if (!found || now() > found.entry.timestamp + found.entry.revalidate * 1000) return undefined;
    return { ...found.entry, value: streamOf(found.bytes) };
  },

  async set(key, pendingEntry) {
    const done = keep(key, pendingEntry).catch(() => {}); // what broke off is not kept
    pending.set(key, done);
    await done;
    if (pending.get(key) === done) pending.delete(key);
  },

  async refreshTags() {},

  async getExpiration(tags) {
    return store.latest(tags);
  },

  async updateTags(tags) {
    store.revalidate(tags);
  },
};

async function keep(key, pendingEntry) {
  const { value, ...entry } = await pendingEntry;
  const parts = [];
  for await (const part of value) parts.push(part);
  const bytes = Buffer.concat(parts);
  if (entry.expire > 0) store.set(`use:${key}`, { entry, bytes }, { tags: entry.tags, at: entry.timestamp, size: sizeOf(key) + bytes.length });
}

function streamOf(bytes) {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(bytes));
      controller.close();
    },
  });
}
