import { defineMiddleware } from 'astro:middleware';
import { ContentError } from './lib/contentful';
import { countRender } from './lib/renders';

const isPage = (path: string) => !path.startsWith('/api/') && path !== '/theme';

export const onRequest = defineMiddleware(async ({ locals, url }, next) => {
  const number = isPage(url.pathname) ? countRender(url.pathname + url.search) : 0;
  locals.render = { number, at: new Date(), began: performance.now(), tags: [], isKept: false };
  try {
    const response = await next();
    if (number > 0) response.headers.set('X-Rendered', `${locals.render.at.toISOString()}; no=${number}`);
    return response;
  } catch (error) {
    if (!(error instanceof ContentError)) throw error;
    // No caching header: a cache that still holds the page may go on showing it, none may keep this.
    console.error(error.message, (error.cause as Error | undefined)?.cause ?? '');
    return new Response('The bookshelf cannot reach its CMS. Please come back in a moment.\n', {
      status: 503,
      headers: {
        'Content-Type': 'text/plain; charset=utf-8',
        'Cache-Control': 'no-store',
        'Retry-After': '5',
      },
    });
  }
});
