// Keeps the visitor's choice of theme in a cookie, on which every page varies. A GET, although it sets a cookie: after a
// POST, caches check the page that `Location` names again (RFC 9111 §4.4), so that every choice would cost a render.
import type { APIRoute } from 'astro';

export const GET: APIRoute = ({ url }) => {
  const headers = new Headers({ 'Cache-Control': 'no-store' });
  const to = url.searchParams.get('to');
  const back = url.searchParams.get('back') ?? '/';
  if (to !== 'dark' && to !== 'light') return new Response('No such theme.\n', { status: 400, headers });

  headers.set('Set-Cookie', `theme=${to}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly`);
  // A path of this site only: "//elsewhere" and "/\elsewhere" are other sites to a browser.
  headers.set('Location', /^\/(?![/\\])[\x21-\x7e]*$/.test(back) ? back : '/');
  return new Response(null, { status: 303, headers });
};
