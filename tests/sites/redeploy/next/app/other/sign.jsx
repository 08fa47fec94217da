'use client';

export function Sign() { return <h1>other of BUILD</h1>; }
