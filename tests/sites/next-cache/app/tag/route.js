import { revalidateTag } from 'next/cache';

export async function POST(request) {
  const { tag, profile } = await request.json();
  revalidateTag(tag, profile);
  return new Response('done\n');
}
