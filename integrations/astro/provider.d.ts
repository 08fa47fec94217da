import type { CacheProviderFactory } from 'astro';

export interface FreshetConfig {
  /** freshet's admin address. Default: FRESHET_ADMIN, else `http://127.0.0.1:8081`. */
  admin?: string;
  /** A file with freshet's token. Default: FRESHET_TOKEN, FRESHET_TOKEN_FILE, else the user's state folder. */
  tokenFile?: string;
  /** The site's name in freshet, when it has several. Default: FRESHET_SITE. */
  site?: string;
  /** Cookies that make a page somebody's own. Default: the one of Astro's sessions. */
  personal?: string[];
  /** The site's base path; the integration knows it. */
  base?: string;
}

declare const provider: CacheProviderFactory<FreshetConfig>;
export default provider;
