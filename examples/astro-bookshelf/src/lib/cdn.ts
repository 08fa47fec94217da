// The recipe: browsers always ask again, freshet keeps a page for a year, and tags let the CMS throw it away the moment
// when it is no longer true. Astro's route cache says it, and freshet is its provider: see astro.config.mjs.

import type { AstroGlobal } from 'astro';

const YEAR = 31536000;

export interface Caching {
  /** What can purge the page: entry ids, content types, names of lists. */
  tags?: string[];
  /** Which parts of a request change the page, in the words of Netlify-Vary. */
  vary?: string;
  /** How long freshet may answer from its copy, in seconds; a year when left out. */
  seconds?: number;
  /** For how long after that it may still show the copy while it fetches a new one. */
  staleSeconds?: number;
}

/** Called by a page for itself: `keep(Astro, { tags })`. */
export function keep(
  { cache, response, locals }: Pick<AstroGlobal, 'cache' | 'response' | 'locals'>,
  { tags = [], vary, seconds = YEAR, staleSeconds }: Caching,
) {
  cache.set({ maxAge: seconds, swr: staleSeconds, tags });
  Object.assign(locals.render, { tags, isKept: true });
  response.headers.set('Cache-Control', 'public, max-age=0, must-revalidate');
  if (vary) response.headers.set('Netlify-Vary', vary);
}

/**
 * The list of books by one author changes when any book of theirs does, also when one is added that the page cannot know
 * yet. So it has a tag of its own, which the webhook derives from the book's link to its author.
 */
export const booksBy = (authorId: string) => `books-by-${authorId}`;
