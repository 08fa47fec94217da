import type { ClientOptions } from '@freshet/client';
import type { Policy } from '@freshet/client/fields';
import type { RequestEvent } from '@sveltejs/kit';
import type { Handle } from '@sveltejs/kit/hooks';

export { FreshetError, createClient, purge } from '@freshet/client';

export interface RoutePolicy extends Pick<Policy, 'ttl' | 'swr' | 'sie' | 'notFound'> {
  /** What can change the page, beside its path; a function is asked when the answer is there. */
  tags?: string | string[] | ((event: RequestEvent) => string | string[]);
}

export interface FreshetOptions extends Pick<ClientOptions, 'admin' | 'tokenFile' | 'site'> {
  /** By id of a route, such as `/blog/[slug]`; `/blog/*` means it and all below, `*` all. The first that fits counts. */
  routes?: Record<string, RoutePolicy>;
  /** Cookies that make a page somebody's own: session, preview. */
  personal?: string[];
  /** What to do when the purge after an action failed. Default: throws, so that the visitor sees an error. */
  onPurgeError?: (error: Error, event: RequestEvent) => void | Promise<void>;
}

export declare function freshet(options?: FreshetOptions): Handle;
/** Adds tags to the page that is being made, from load functions and hooks. */
export declare function addTags(event: Pick<RequestEvent, 'locals'>, ...tags: (string | string[])[]): void;
/** The tag that a page and its __data.json have by themselves. */
export declare function pathTag(pathname: string): string;
