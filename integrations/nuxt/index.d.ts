import type { Nuxt } from '@nuxt/schema';

export interface FreshetOptions {
  /** Cookies that make a page somebody's own: session, preview. */
  personal?: string[];
}

declare module '@nuxt/schema' {
  interface NuxtConfig {
    freshet?: FreshetOptions;
  }
}

/** The module for Nuxt 4; options stand in `freshet` of nuxt.config. */
declare function freshet(options: FreshetOptions | undefined, nuxt: Nuxt): void;
export default freshet;
