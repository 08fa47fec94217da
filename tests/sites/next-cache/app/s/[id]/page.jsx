import { words } from '../../../lib.js';

export const dynamic = 'force-static';

export function generateStaticParams() {
  return [{ id: 'a' }];
}

export default async function Page({ params }) {
  const { id } = await params;
  return <p>{`static ${id}: ${await words(id)}, made at ${process.hrtime.bigint()}`}</p>;
}
