// What all three take as an argument.

import { fieldsFor, lifetime, tagList } from '@freshet/client/fields';

const NAMES = ['ttl', 'swr', 'sie', 'tags', 'personal', 'notFound'];

/** Checks a policy once, when the app starts; returns what gives the fields of one answer, for the arguments that tags() takes. */
export function policyOf(policy) {
  const unknown = Object.keys(policy ?? {}).find((name) => !NAMES.includes(name));
  if (!policy || unknown) throw new TypeError(`cache() takes ${NAMES.join(', ')}${unknown ? `; not ${unknown}` : ''}`);
  lifetime(policy);
  if (typeof policy.tags !== 'function') tagList(policy.tags ?? []);
  fieldsFor({ personal: policy.personal }, { method: 'GET' }, { status: 200, get() {} });
  return (request, response, args) => {
    const tags = typeof policy.tags === 'function' ? policy.tags(...args) : policy.tags;
    return Object.entries(fieldsFor({ ...policy, tags }, request, response));
  };
}
