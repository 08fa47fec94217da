import { revalidatePath } from 'next/cache';

export async function POST(request) {
  const { path, type } = await request.json();
  revalidatePath(path, type);
  return new Response('done\n');
}
