// The CMS calls this when an entry was published or unpublished; we tell freshet which pages are no longer true, by
// Astro's own cache.invalidate(). Any answer but 2xx makes the CMS try again.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { APIRoute } from 'astro';
import { booksBy } from '../../lib/cdn';

const MAX_BODY = 1024 * 1024;
const ID = /^[\w.-]{1,64}$/;
const TOPICS = ['publish', 'unpublish', 'archive', 'unarchive', 'delete'].map(
  (verb) => `ContentManagement.Entry.${verb}`,
);

const answer = (status: number, value: object) =>
  Response.json(value, { status, headers: { 'Cache-Control': 'no-store' } });

/** Compares digests, so that neither the length nor the first wrong letter shows in the time that it takes. */
function isSecret(given: string): boolean {
  const known = process.env.WEBHOOK_SECRET ?? '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(known)) && known !== '';
}

async function readLimited(request: Request): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The tags of everything that shows this entry; null when it is no entry. */
function tagsOf(entry: any): string[] | null {
  const id = entry?.sys?.id;
  const type = entry?.sys?.contentType?.sys?.id;
  if (typeof id !== 'string' || typeof type !== 'string' || !ID.test(id) || !ID.test(type)) return null;
  const tags = [id, type];
  for (const author of Object.values<any>(entry.fields?.author ?? {})) {
    const authorId = author?.sys?.id;
    if (typeof authorId === 'string' && ID.test(authorId)) tags.push(booksBy(authorId));
  }
  return tags;
}

export const POST: APIRoute = async ({ request, cache }) => {
  if (!isSecret(request.headers.get('x-webhook-secret') ?? ''))
    return answer(401, { error: 'wrong or missing secret' });
  const topic = request.headers.get('x-contentful-topic') ?? '';
  if (!TOPICS.includes(topic)) return answer(200, { ignored: topic });

  const body = await readLimited(request);
  if (body === null) return answer(413, { error: 'too large' });
  let tags: string[] | null = null;
  try {
    tags = tagsOf(JSON.parse(body));
  } catch {
    // Answered below.
  }
  if (!tags) return answer(400, { error: 'not an entry' });

  try {
    await cache.invalidate({ tags });
  } catch (error) {
    console.error(`purging ${tags.join(', ')} failed: ${(error as Error).message}`);
    return answer(502, { error: 'purge failed', reason: (error as Error).message });
  }
  console.log(`purged ${tags.join(', ')}`);
  return answer(200, { purged: tags });
};
