import type { NextConfig } from 'next';

type Config = NextConfig | ((phase: string, context: { defaultConfig: NextConfig }) => NextConfig | Promise<NextConfig>);

/**
 * Adds freshet's cache handlers to a configuration. Address and token of freshet come from the environment when the app runs:
 * FRESHET_ADMIN, FRESHET_TOKEN or FRESHET_TOKEN_FILE, FRESHET_SITE.
 */
export declare function withFreshet(config?: Config): (phase: string, context: { defaultConfig: NextConfig }) => Promise<NextConfig>;
export default withFreshet;
