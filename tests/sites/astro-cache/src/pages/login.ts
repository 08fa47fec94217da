import type { APIRoute } from 'astro';

export const GET: APIRoute = async ({ session }) => {
  await session!.set('name', 'ann');
  return new Response('signed in\n');
};
