import { cacheLife, cacheTag } from 'next/cache';

export async function words(id) {
  'use cache';
  cacheTag(`product-${id}`);
  cacheLife('hours');
  const answer = await fetch(`${process.env.DATABASE}/${id}`);
  return `${await answer.text()}, read at ${process.hrtime.bigint()}`;
}
