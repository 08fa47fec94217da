import type { AstroIntegration } from 'astro';
import type { FreshetConfig } from './provider.js';

/** Makes freshet the provider of `Astro.cache` and `routeRules`. The token comes from the environment when the site runs. */
export default function freshet(options?: Omit<FreshetConfig, 'base'>): AstroIntegration;
