import { freshet } from '@freshet/nuxt/nitro';

export default {
  modules: [freshet({ personal: ['session'] })],
  routeRules: {
    '/page/**': { isr: 600 },
    '/page/off': { isr: false },
    '/swr': { swr: 60 },
    '/varies': { cache: { maxAge: 60, varies: ['x-plan'] } },
    '/pre': { prerender: true },
    '/throws': { swr: 60 },
  },
};
