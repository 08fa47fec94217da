import { cookies } from 'next/headers';

export default async function Page() { return <p>{`for ${(await cookies()).get('name')?.value ?? 'nobody'}`}</p>; }
