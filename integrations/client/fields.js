// What a response says to freshet: how long it may be stored, under which tags, and that it is somebody's own. The packages for the
// frameworks share this; it knows nothing of any of them.

/** The field that is read by caches like freshet (RFC 9213), and the others that would count more or as much. */
const TARGETED = ['cdn-cache-control', 'netlify-cdn-cache-control'];
const TOKEN = /^[\w!#$%&'*+.^`~-]+$/;

/** `max-age=60, stale-while-revalidate=600`; undefined when the policy has no ttl. Numbers are whole seconds. */
export function lifetime({ ttl, swr, sie }) {
  if (ttl === undefined || ttl === null) return undefined;
  const parts = [`max-age=${seconds(ttl, 'ttl')}`];
  if (swr !== undefined && swr !== null) parts.push(`stale-while-revalidate=${seconds(swr, 'swr')}`);
  if (sie !== undefined && sie !== null) parts.push(`stale-if-error=${seconds(sie, 'sie')}`);
  return parts.join(', ');
}

function seconds(value, name) {
  if (!Number.isFinite(value) || value < 0) throw new TypeError(`${name} is a number of seconds, 0 or more; not ${value}`);
  return Math.min(Math.floor(value), 2 ** 31);
}

/**
 * Tags as the value of Cache-Tag; undefined when there are none. Node writes a field as UTF-8 before a body that is a string, as Latin-1
 * before one of bytes; freshet finds a tag in both. What is not in Latin-1 stands as the bytes of its UTF-8, and needs a body of bytes.
 */
export function tagList(...lists) {
  const all = new Set();
  for (const tag of lists.flat().filter((one) => one !== undefined && one !== null)) {
    if (typeof tag !== 'string' || /[\x00-\x1f\x7f]/.test(tag)) throw new TypeError(`a tag is a string without control characters; not ${JSON.stringify(tag)}`);
    if (tag.trim() !== '') all.add(/[^\x20-\xff]/.test(tag) ? Buffer.from(tag.trim(), 'utf8').toString('latin1') : tag.trim());
  }
  return all.size > 0 ? [...all].join(',') : undefined;
}

/** Whether the value of a Cookie field has one of these cookies, whatever it holds: one that is forged makes a page of its own too. */
export function hasCookie(field, names) {
  return (field ?? '').split(';').some((pair) => names.includes(pair.split('=')[0].trim()));
}

/** Adds `cookie=a|b` to a Netlify-Vary. */
function varyOn(names, before) {
  for (const name of names) if (!TOKEN.test(name) || name.includes('|')) throw new TypeError(`"${name}" is no name of a cookie`);
  const own = `cookie=${names.join('|')}`;
  return !before ? own : before.includes(own) ? before : `${before}, ${own}`;
}

/**
 * The fields to set on a response, by lower-case name; null removes one.
 * `policy`: { ttl, swr, sie, tags, personal, notFound }, or `said` in place of the seconds: the value as it will be. `request`: { method, cookie, authorization }. `response`: { status, get(name) }, get() says
 * what the response has by now. What the app said itself counts: its own targeted field stays, and private or no-store is not overruled.
 */
export function fieldsFor(policy, request, response) {
  const fields = {};
  const personal = policy.personal ?? [];
  if (request.method !== 'GET' && request.method !== 'HEAD') return fields;
  if (personal.length > 0) fields['netlify-vary'] = varyOn(personal, text(response.get('netlify-vary')));
  if (hasCookie(request.cookie, personal)) {
    for (const name of TARGETED) fields[name] = null;
    fields['cache-control'] = 'private, no-store';
    return fields;
  }
  const { status } = response;
  if (!((status >= 200 && status < 400) || (policy.notFound && (status === 404 || status === 410)))) return fields;
  if (request.authorization) return fields; // the app alone may say that such an answer is for all
  const own = TARGETED.some((name) => response.get(name) !== undefined && response.get(name) !== null);
  const forbids = /(?:^|[\s,])(?:private|no-store)\b/i.test(text(response.get('cache-control')) ?? '');
  const value = policy.said ?? lifetime(policy);
  if (value !== undefined && !own && !forbids) fields['cdn-cache-control'] = value;
  if (own || !forbids) Object.assign(fields, tagFields(policy.tags, response));
  return fields;
}

/** freshet reads the first of the two fields that is there, so the tags go where the app's own are. */
export function tagFields(tags, response) {
  const name = response.get('netlify-cache-tag') ? 'netlify-cache-tag' : 'cache-tag';
  const value = tagList(tags ?? []);
  const before = text(response.get(name));
  return value === undefined ? {} : { [name]: before ? `${before},${value}` : value };
}

const text = (value) => (Array.isArray(value) ? value.join(', ') : (value ?? undefined));
