/** What the database says; it is asked by fetch(), which Next caches under the tag. */
export async function words(id) {
  const answer = await fetch(`${process.env.DATABASE}/${id}`, { next: { tags: [`product-${id}`] } });
  return answer.text();
}
