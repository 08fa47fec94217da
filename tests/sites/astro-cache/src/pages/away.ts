import type { APIRoute } from 'astro';

export const GET: APIRoute = ({ url, cookies }) => {
  cookies.set('seen', '1');
  return Response.redirect(new URL('/books/1', url));
};
