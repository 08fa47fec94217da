/** How a page is kept. Seconds are whole numbers. */
export interface Policy {
  /** Seconds for which freshet answers from memory. Left out: nothing is said, and freshet stores only what the app itself permits. */
  ttl?: number;
  /** Seconds after that in which the old page is answered at once while one request renews it. */
  swr?: number;
  /** Seconds after ttl in which the old page is answered when the app fails. */
  sie?: number;
  /** Instead of the seconds: the whole value of CDN-Cache-Control. */
  said?: string;
  /** What can change the page; a purge of any of them removes it. */
  tags?: string | string[];
  /** Names of cookies that make a page somebody's own: session, "remember me", preview. Such a request gets `private, no-store`. */
  personal?: string[];
  /** Whether 404 and 410 are kept, too; a page that is made later is then missing until the ttl is over, or a purge. */
  notFound?: boolean;
}

export interface RequestFacts {
  method: string;
  cookie?: string | null;
  authorization?: string | null;
}

export interface ResponseFacts {
  status: number;
  get(name: string): string | string[] | number | null | undefined;
}

/** The fields to set on a response, by lower-case name; null removes one. */
export declare function fieldsFor(policy: Policy, request: RequestFacts, response: ResponseFacts): Record<string, string | null>;
/** The tags beside those that the response has. */
export declare function tagFields(tags: Policy['tags'], response: Pick<ResponseFacts, 'get'>): Record<string, string>;
export declare function lifetime(policy: Pick<Policy, 'ttl' | 'swr' | 'sie'>): string | undefined;
export declare function tagList(...lists: (string | string[] | null | undefined)[]): string | undefined;
export declare function hasCookie(field: string | null | undefined, names: string[]): boolean;
