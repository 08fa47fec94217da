import { readFileSync } from 'node:fs';
import { draftMode } from 'next/headers';

export const revalidate = 60;

export function generateStaticParams() {
  return [];
}

export default async function Page({ params }) {
  const { slug } = await params;
  const { isEnabled } = await draftMode();
  return <p>{`${isEnabled ? 'DRAFT' : 'PUBLISHED'} ${slug}: ${readFileSync(process.env.WORDS, 'utf8')}`}</p>;
}
