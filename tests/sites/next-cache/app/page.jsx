import Link from 'next/link';

export default function Page() { return <p>home <Link href="/g/1">one</Link> <Link href="/s/a">static</Link> <Link href="/account">account</Link></p>; }
