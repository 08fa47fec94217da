// The header recipe: browsers always ask again, the CDN keeps a page for a year, and tags let the CMS throw it away the
// moment when it is no longer true.

const YEAR = 31536000;

export interface Caching {
  /** What can purge the page: entry ids, content types, names of lists. */
  tags?: string[];
  /** Which parts of a request change the page, in the words of Netlify-Vary. */
  vary?: string;
  /** How long the CDN may answer from its copy, in seconds; a year when left out. */
  seconds?: number;
  /** For how long after that it may still show the copy while it fetches a new one. */
  staleSeconds?: number;
}

export function cacheOnCdn(headers: Headers, { tags = [], vary, seconds = YEAR, staleSeconds }: Caching) {
  const stale = staleSeconds === undefined ? '' : `, stale-while-revalidate=${staleSeconds}`;
  headers.set('Cache-Control', 'public, max-age=0, must-revalidate');
  headers.set('Netlify-CDN-Cache-Control', `public, max-age=${seconds}${stale}, durable`);
  if (tags.length > 0) headers.set('Netlify-Cache-Tag', tags.join(', '));
  if (vary) headers.set('Netlify-Vary', vary);
}

/**
 * The list of books by one author changes when any book of theirs does, also when one is added that the page cannot know
 * yet. So it has a tag of its own, which the webhook derives from the book's link to its author.
 */
export const booksBy = (authorId: string) => `books-by-${authorId}`;
