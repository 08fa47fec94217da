// The integration: makes freshet the provider of Astro's route cache, and warns of a build whose server islands end with the next one.

const OPTIONS = ['admin', 'tokenFile', 'site', 'personal'];

/** Options are part of the build, so none of them is a secret: the token comes from the environment when the site runs. */
export default function freshet(options = {}) {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown === 'token') throw new TypeError('freshet(): a token in the configuration would be written into the build; set FRESHET_TOKEN where the site runs');
  if (unknown) throw new TypeError(`freshet() knows no "${unknown}"; it knows ${OPTIONS.join(', ')}`);
  let islands = () => true;
  return {
    name: '@freshet/astro',
    hooks: {
      'astro:config:setup': ({ config: before, updateConfig, logger }) => {
        if (before.cache?.provider) return logger.warn('cache.provider is set to something else in the configuration and stays that');
        const provider = { name: 'freshet', entrypoint: '@freshet/astro/provider', config: providerConfig(options, before) };
        updateConfig({ cache: { provider }, vite: { plugins: [watchIslands((ask) => (islands = ask))] } });
      },
      'astro:build:done': ({ logger }) => {
        if (islands() && !process.env.ASTRO_KEY)
          logger.warn('This site has server islands, and no ASTRO_KEY was set: pages that are still in caches and browsers after the next build ask for islands ' +
            'that it cannot decrypt. Make a key once with `astro create-key` and set it for each build.');
      },
    },
  };
}

function providerConfig(options, { base, session }) {
  const cookie = session && (typeof session.cookie === 'string' ? session.cookie : session.cookie?.name);
  return { personal: session === false || session === undefined ? [] : [cookie || 'astro-session'], ...options, base };
}

/** Astro's own plugin knows whether a component is a server island. */
function watchIslands(found) {
  return {
    name: '@freshet/astro:islands',
    configResolved({ plugins }) {
      const ask = plugins.find(({ name }) => name === 'astro:server-islands')?.api?.hasServerIslands;
      if (ask) found(ask);
    },
  };
}
