import { cookies } from 'next/headers';
import { Suspense } from 'react';
import { words } from '../../lib.js';

async function Mine() {
  return <b>{`for ${(await cookies()).get('name')?.value ?? 'nobody'}: ${await words('dyn')}`}</b>;
}

export default function Page() { return <Suspense fallback={<i>wait</i>}><Mine /></Suspense>; }
