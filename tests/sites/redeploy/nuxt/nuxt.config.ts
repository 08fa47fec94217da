export default defineNuxtConfig({
  routeRules: { '/': { headers: { 'cache-control': 's-maxage=600' } }, '/other': { headers: { 'cache-control': 's-maxage=600' } } },
  // The browser is not to fetch ahead what the test wants nobody to have asked for.
  hooks: {
    'build:manifest': (manifest) => {
      for (const item of Object.values(manifest)) Object.assign(item, { prefetch: false, dynamicImports: [] });
    },
  },
});
