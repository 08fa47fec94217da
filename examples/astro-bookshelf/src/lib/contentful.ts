// Asks Contentful's GraphQL Content API. The CMS beside this app speaks the part of it that is used here; hosted
// Contentful does as well: CONTENTFUL_URL=https://graphql.contentful.com and a space with the same two content types.

const TIMEOUT_MS = 10_000;

export interface Author {
  sys: { id: string };
  name: string;
  slug: string;
  born: number | null;
  died: number | null;
  bio: string | null;
}

export interface Book {
  sys: { id: string; publishedAt: string };
  title: string;
  slug: string;
  year: number;
  pages: number | null;
  description: string | null;
  author: Pick<Author, 'sys' | 'name' | 'slug'> | null;
}

/** The CMS did not answer, or not with what was asked. The page cannot be made now. */
export class ContentError extends Error {}

async function ask<T>(query: string, variables: Record<string, unknown>): Promise<T> {
  const { env } = process;
  const base = env.CONTENTFUL_URL ?? 'http://127.0.0.1:4322';
  const space = env.CONTENTFUL_SPACE_ID ?? 'bookshelf';
  const environment = env.CONTENTFUL_ENVIRONMENT ?? 'master';
  const token = env.CONTENTFUL_DELIVERY_TOKEN ?? 'bookshelf-delivery-token';
  let answer: { data?: T; errors?: { message: string }[] };
  try {
    const response = await fetch(`${base}/content/v1/spaces/${space}/environments/${environment}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    answer = await response.json();
  } catch (error) {
    throw new ContentError(`The CMS at ${base} does not answer.`, { cause: error });
  }
  if (answer.errors || !answer.data)
    throw new ContentError(`The CMS refused: ${answer.errors?.[0]?.message ?? 'no data'}`);
  return answer.data;
}

const BOOK = 'sys { id publishedAt } title slug year pages description author { sys { id } name slug }';

interface List {
  total: number;
  items: Book[];
}

export const ORDERS = { title: 'title_ASC', year: 'year_ASC', newest: 'sys_publishedAt_DESC' } as const;
export type Sort = keyof typeof ORDERS;

export async function listBooks(sort: Sort, page: number, perPage: number): Promise<List> {
  const data = await ask<{ bookCollection: List }>(
    `query Books($order: [BookOrder], $skip: Int, $limit: Int) {
      bookCollection(order: $order, skip: $skip, limit: $limit) { total items { ${BOOK} } }
    }`,
    { order: [ORDERS[sort], 'sys_id_ASC'], skip: (page - 1) * perPage, limit: perPage },
  );
  return data.bookCollection;
}

export async function findBook(slug: string): Promise<Book | null> {
  const data = await ask<{ bookCollection: List }>(
    `query Book($slug: String!) { bookCollection(where: { slug: $slug }, limit: 1) { items { ${BOOK} } } }`,
    { slug },
  );
  return data.bookCollection.items[0] ?? null;
}

export async function findAuthor(slug: string): Promise<{ author: Author; books: Book[] } | null> {
  const data = await ask<{ authorCollection: { items: Author[] }; bookCollection: List }>(
    `query Author($slug: String!) {
      authorCollection(where: { slug: $slug }, limit: 1) { items { sys { id } name slug born died bio } }
      bookCollection(where: { author: { slug: $slug } }, order: [year_ASC], limit: 100) { items { ${BOOK} } }
    }`,
    { slug },
  );
  const author = data.authorCollection.items[0];
  return author ? { author, books: data.bookCollection.items } : null;
}

export async function everyBook(): Promise<Book[]> {
  const data = await ask<{ bookCollection: List }>(
    `query EveryBook { bookCollection(order: [year_ASC], limit: 1000) { items { ${BOOK} } } }`,
    {},
  );
  return data.bookCollection.items;
}
