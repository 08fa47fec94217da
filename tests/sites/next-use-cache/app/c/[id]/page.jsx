import { words } from '../../../lib.js';

export function generateStaticParams() {
  return [{ id: '1' }];
}

export default async function Page({ params }) {
  const { id } = await params;
  return <p>{`cached ${id}: ${await words(id)}`}</p>;
}
