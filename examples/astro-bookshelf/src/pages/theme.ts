// Keeps the visitor's choice of theme in a cookie, on which every page varies.
import type { APIRoute } from 'astro';

export const prerender = false;

export const POST: APIRoute = async ({ request }) => {
  const headers = new Headers({ 'Cache-Control': 'no-store' });
  const origin = request.headers.get('origin');
  const host = request.headers.get('host');
  if (origin !== null && origin !== `http://${host}` && origin !== `https://${host}`) {
    return new Response('This form came from another site.\n', { status: 403, headers });
  }
  const form = await request.formData().catch(() => null);
  const to = form?.get('to');
  const back = String(form?.get('back') ?? '/');
  if (to !== 'dark' && to !== 'light') return new Response('No such theme.\n', { status: 400, headers });

  headers.set('Set-Cookie', `theme=${to}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly`);
  // A path of this site only: "//elsewhere" and "/\elsewhere" are other sites to a browser.
  headers.set('Location', /^\/(?![/\\])[\x21-\x7e]*$/.test(back) ? back : '/');
  return new Response(null, { status: 303, headers });
};
