// What both plugins say of an answer: the same for Nuxt's server, over node:http, and for Nitro 3, over Request and Response.

import { fieldsFor } from '@freshet/client/fields';
import { pathTag } from '../tags.js';

/** The fields to set, in pairs; null removes one. `policy` is what rules.js made of the route's rule. */
export function fieldsOf(policy, { request, response, path, tags = [], personal }) {
  // A rule for prerendered pages means files: these have a time of change. What is rendered now may be anybody's.
  const isMeant = policy && !(policy.prerender && !response.get('last-modified'));
  if (!isMeant && personal.length === 0) return [];
  if (!isMeant) return Object.entries(fieldsFor({ personal }, request, response));
  const all = [pathTag(path), ...tags];
  const fields = fieldsFor({ ttl: policy.ttl, swr: policy.swr, tags: all, personal }, request, response);
  if (policy.varies && fields['cdn-cache-control']) {
    const before = fields['netlify-vary'] ?? response.get('netlify-vary');
    fields['netlify-vary'] = [before, `header=${policy.varies.join('|')}`].filter(Boolean).join(', ');
  }
  return Object.entries(fields);
}
