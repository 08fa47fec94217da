import type { APIRoute } from 'astro';

export const POST: APIRoute = async ({ request, cache }) => {
  try {
    await cache.invalidate(await request.json());
    return new Response('done\n');
  } catch (error) {
    return new Response(`${(error as Error).message}\n`, { status: 502 });
  }
};
