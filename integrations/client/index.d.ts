/** What is left out is taken from the environment, at each purge. */
export interface ClientOptions {
  /** freshet's admin address: `ADDR:PORT`, a URL, or `unix:/path`. Default: FRESHET_ADMIN, else `http://127.0.0.1:8081`. */
  admin?: string;
  /** Its token. Default: FRESHET_TOKEN, else what stands in `tokenFile`. */
  token?: string;
  /** A file with the token, read at each purge. Default: FRESHET_TOKEN_FILE, else `freshet/token` in the user's state folder. */
  tokenFile?: string;
  /** The site's name in freshet, needed when it has several. Default: FRESHET_SITE. */
  site?: string;
  /** Milliseconds that a purge may take with all its attempts. Default: 10000. */
  timeout?: number;
  /** How often a failed purge is tried again: no connection, 429 (after its Retry-After), 5xx. 0 to 20. Default: 5. */
  retries?: number;
}

/** Either tags or urls or both, or `all`. What one purge names goes at once, or not at all. */
export interface PurgeRequest {
  tags?: string | Iterable<string>;
  /** Whole URLs, or paths beside a `domain`. Without a query: everything of the path. */
  urls?: string | Iterable<string>;
  /** The whole site; only without tags and urls. */
  all?: boolean;
  /** Stale from now on instead of gone. */
  soft?: boolean;
  /** Overrides the client's site. */
  site?: string;
  /** Finds the site that has this host, and is the host of paths in `urls`. */
  domain?: string;
  signal?: AbortSignal;
}

export interface PurgeAnswer {
  /** The number of this purge; it only grows. */
  sequence: number;
  /** Whether the purge outlives freshet's process. */
  durable: boolean;
  /** What was purged, in words. */
  purged: string;
}

export interface Client {
  /**
   * Resolves when the purge is in force: no request that begins afterwards gets what was purged.
   * Rejects with a FreshetError when freshet cannot be asked or says no, and with a TypeError for what can be no purge.
   */
  purge(what: PurgeRequest): Promise<PurgeAnswer>;
  /** How this freshet is doing, as `freshet status --json`: pages, memory, the latest purges, counters. */
  status(options?: { signal?: AbortSignal }): Promise<Status>;
}

/** Part of what it says. */
export interface Status {
  version: string;
  purges: { sequence: number; latest: { sequence: number; time: string; what: string }[] };
  [more: string]: unknown;
}

export declare function createClient(options?: ClientOptions): Client;

/** As the purge() of a client with these options. */
export declare function purge(what: PurgeRequest, options?: ClientOptions): Promise<PurgeAnswer>;

export declare class FreshetError extends Error {
  /** The status of freshet's answer; undefined when there was none. */
  readonly answered?: number;
  /** The system's word when there was no answer, such as ECONNREFUSED; ETIMEDOUT when the time was up. */
  readonly code?: string;
  /** How often freshet was asked. */
  readonly attempts: number;
}
