// routeRules as they are after this: what isr, swr and cache said stands in `freshet`, for the plugin that sends it, and Nitro's own cache
// is off, so that no second one keeps a page that was purged.

const YEAR = 31_536_000;
const OPTIONS = ['personal'];
const PAYLOAD = '/_payload.json';

export function optionsOf(options = {}) {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown) throw new TypeError(`freshet knows no option "${unknown}"; it knows ${OPTIONS.join(', ')}`);
  return { personal: options.personal ?? [] };
}

/** Changes `rules` in place; again makes no difference. Each page's data in Nuxt, its _payload.json, gets the page's rule. */
export function convert(rules) {
  for (const [route, rule] of Object.entries(rules)) {
    if (!rule || rule.freshet !== undefined) continue;
    const policy = policyOf(rule);
    if (policy === undefined) continue;
    rule.freshet = policy;
    if (!policy.prerender) {
      // isr does nothing by itself on a server of one's own, and lets Nuxt make a _payload.json.
      rule.isr = policy !== false;
      rule.swr = undefined;
      rule.cache = undefined;
    }
    if (!route.endsWith('*') && !route.endsWith(PAYLOAD)) {
      const payload = (route === '/' ? '' : route) + PAYLOAD;
      rules[payload] = { freshet: policy, ...rules[payload] };
    }
  }
}

/** false: never kept, though a wider rule says so; undefined: the rule says nothing of it. */
function policyOf({ isr, swr, cache, prerender }) {
  if (isr) return { ttl: secondsOf(isr), swr: YEAR };
  if (swr || cache) return ofCache(swr, typeof cache === 'object' ? cache : {});
  if (isr === false || swr === false || cache === false) return false;
  return prerender ? { prerender: true, ttl: YEAR } : undefined;
}

/** A number, true (until it is purged), or an object as hosts take it. */
function secondsOf(isr) {
  const seconds = typeof isr === 'object' ? isr.expiration : isr;
  return typeof seconds === 'number' ? seconds : YEAR;
}

/** Nitro keeps for a second what says no time, and shows old pages for ever unless told how long. */
function ofCache(swr, { maxAge, staleMaxAge, swr: alsoOld = true, varies }) {
  const ttl = typeof swr === 'number' ? swr : (maxAge ?? 1);
  const old = swr || alsoOld ? (staleMaxAge > 0 ? staleMaxAge : YEAR) : undefined;
  const headers = varies?.filter((name) => !/^(host|x-forwarded-host)$/i.test(name)); // part of freshet's key
  return { ttl, ...(old && { swr: old }), ...(headers?.length && { varies: headers }) };
}
