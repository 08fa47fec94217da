import type { NitroModule } from 'nitro/types';
import type { FreshetOptions } from './index.js';

/** `modules: [freshet({ personal: ['session'] })]` */
export declare function freshet(options?: FreshetOptions): NitroModule;
/** `modules: ['@freshet/nuxt/nitro']` */
declare const module: NitroModule;
export default module;
