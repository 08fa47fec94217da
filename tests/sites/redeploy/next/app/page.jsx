import Link from 'next/link';
import { Late } from './late';

export default function Page() {
  return <><h1>home of BUILD</h1><Late /><Link href="/other" prefetch={false}>other</Link></>;
}
