import { pathTag, purge } from '@freshet/sveltekit';

export async function POST({ request }) {
  const { path, tags = [] } = await request.json();
  const done = await purge({ tags: [...tags, ...(path ? [pathTag(path)] : [])] });
  return new Response(done.purged);
}
