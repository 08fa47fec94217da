'use client';
import { Suspense, lazy, useEffect, useState } from 'react';

const More = lazy(() => import('./more'));

export function Late() {
  const [state, set] = useState('waiting');
  useEffect(() => set('ready'), []);
  return <><button className={state} onClick={() => set('clicked')}>more</button>{state === 'clicked' && <Suspense><More /></Suspense>}</>;
}
