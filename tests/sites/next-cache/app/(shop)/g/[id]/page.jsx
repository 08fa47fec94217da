import { draftMode } from 'next/headers';
import { words } from '../../../../lib.js';

export const revalidate = 3600;

export function generateStaticParams() {
  return [{ id: '1' }];
}

export default async function Page({ params }) {
  const { id } = await params;
  const { isEnabled } = await draftMode();
  return <p>{`${isEnabled ? 'DRAFT' : 'PUBLISHED'} ${id}: ${await words(id)}, made at ${process.hrtime.bigint()}`}</p>;
}
