// The content model as Contentful's GraphQL Content API shows it: `book`, `bookCollection(where, order, skip, limit)`,
// linked entries, `sys`. Built from MODEL, so that the form, the store and the API cannot disagree.

import { LOCALE, MODEL } from './store.mjs';
import { QueryError } from './graphql.mjs';

const MAX_LIMIT = 1000;
const SCALAR_OF = { text: 'String', slug: 'String', long: 'String', number: 'Int' };

const SYS = {
  id: { type: 'String!' },
  spaceId: { type: 'String!' },
  environmentId: { type: 'String!' },
  publishedAt: { type: 'String' },
  firstPublishedAt: { type: 'String' },
  publishedVersion: { type: 'Int' },
};

// What may follow a field's name in a filter, and what it means for the field's value and the filter's operand.
const OPERATORS = {
  '': (value, operand) => value === operand,
  _not: (value, operand) => value !== operand,
  _in: (value, operand) => operand.includes(value),
  _not_in: (value, operand) => !operand.includes(value),
  _exists: (value, operand) => (value !== null) === operand,
  _contains: (value, operand) => value !== null && value.toLowerCase().includes(operand.toLowerCase()),
  _gt: (value, operand) => value !== null && value > operand,
  _gte: (value, operand) => value !== null && value >= operand,
  _lt: (value, operand) => value !== null && value < operand,
  _lte: (value, operand) => value !== null && value <= operand,
};

const capital = (word) => word[0].toUpperCase() + word.slice(1);

export function makeSchema(store, spaceId, environmentId) {
  const schema = { types: { Query: {}, Sys: SYS }, inputs: { SysFilter: sysFilter() }, enums: {} };

  for (const type of Object.keys(MODEL)) {
    const name = capital(type);
    schema.types[name] = entryType(store, type);
    schema.types[`${name}Collection`] = {
      total: { type: 'Int!' },
      skip: { type: 'Int!' },
      limit: { type: 'Int!' },
      items: { type: `[${name}]!` },
    };
    schema.inputs[`${name}Filter`] = entryFilter(type);
    schema.enums[`${name}Order`] = orders(type);
    const common = { locale: 'String', preview: 'Boolean' };
    schema.types.Query[type] = {
      type: name,
      args: { id: 'String!', ...common },
      resolve: (_, args) => (checkCommon(args), view(store.get(type, args.id))),
    };
    schema.types.Query[`${type}Collection`] = {
      type: `${name}Collection`,
      args: { where: `${name}Filter`, order: `[${name}Order]`, skip: 'Int', limit: 'Int', ...common },
      resolve: (_, args) => (checkCommon(args), collection(type, args)),
    };
  }
  return schema;

  function view(entry) {
    if (!entry) return null;
    const { id, publishedAt, firstPublishedAt, version } = entry;
    return {
      ...entry.fields,
      sys: { id, spaceId, environmentId, publishedAt, firstPublishedAt, publishedVersion: version },
    };
  }

  function entryType(store, type) {
    const fields = { _id: { type: 'ID!', resolve: (entry) => entry.sys.id }, sys: { type: 'Sys!' } };
    for (const [name, field] of Object.entries(MODEL[type])) {
      fields[name] =
        field.kind === 'link'
          ? { type: capital(field.to), resolve: (entry) => view(store.get(field.to, entry[name] ?? '')) }
          : { type: SCALAR_OF[field.kind] };
    }
    return fields;
  }

  function collection(type, { where = null, order = null, skip = 0, limit = 100 }) {
    skip ??= 0;
    limit ??= 100;
    if (skip < 0) throw new QueryError('"skip" must not be negative.');
    if (limit < 0 || limit > MAX_LIMIT) throw new QueryError(`"limit" must be from 0 to ${MAX_LIMIT}.`);
    const found = store
      .all(type)
      .map(view)
      .filter((entry) => matches(type, entry, where));
    found.sort(comparison(order ?? []));
    return { total: found.length, skip, limit, items: found.slice(skip, skip + limit) };
  }

  function matches(type, entry, where) {
    for (const [key, operand] of Object.entries(where ?? {})) {
      if (key === 'AND' && !(operand ?? []).every((part) => matches(type, entry, part))) return false;
      if (key === 'OR' && !(operand ?? []).some((part) => matches(type, entry, part))) return false;
      if (key === 'AND' || key === 'OR' || operand === null) continue;
      if (key === 'sys' ? !compare(entry.sys, SYS, operand) : !matchesField(type, entry, key, operand))
        return false;
    }
    return true;
  }

  function matchesField(type, entry, key, operand) {
    const field = MODEL[type][key];
    if (field?.kind !== 'link') return compare(entry, MODEL[type], { [key]: operand });
    const linked = view(store.get(field.to, entry[key] ?? ''));
    return linked !== null && matches(field.to, linked, operand);
  }
}

function checkCommon({ locale, preview }) {
  if (locale && locale !== LOCALE)
    throw new QueryError(`Query with unknown locale "${locale}".`, 'UNKNOWN_LOCALE');
  if (preview)
    throw new QueryError('Previews are not supported here: nothing is unpublished.', 'NOT_SUPPORTED');
}

/** Holds every `name + operator` of `where` against `values`; names are those of `known`. */
function compare(values, known, where) {
  return Object.entries(where).every(([key, operand]) => {
    const name = Object.keys(known).find(
      (name) => key.startsWith(name) && Object.hasOwn(OPERATORS, key.slice(name.length)),
    );
    return operand === null || OPERATORS[key.slice(name.length)](values[name] ?? null, operand);
  });
}

function sysFilter() {
  return { id: 'String', id_not: 'String', id_in: '[String]', id_not_in: '[String]', id_exists: 'Boolean' };
}

function entryFilter(type) {
  const name = `${capital(type)}Filter`;
  const filter = { sys: 'SysFilter', AND: `[${name}]`, OR: `[${name}]` };
  for (const [key, field] of Object.entries(MODEL[type])) {
    if (field.kind === 'link') {
      filter[key] = `${capital(field.to)}Filter`;
      continue;
    }
    const scalar = SCALAR_OF[field.kind];
    for (const operator of ['', '_not']) filter[key + operator] = scalar;
    for (const operator of ['_in', '_not_in']) filter[key + operator] = `[${scalar}]`;
    filter[`${key}_exists`] = 'Boolean';
    if (scalar === 'String') filter[`${key}_contains`] = scalar;
    else for (const operator of ['_gt', '_gte', '_lt', '_lte']) filter[key + operator] = scalar;
  }
  return filter;
}

function orders(type) {
  const names = ['sys_id', 'sys_publishedAt', 'sys_firstPublishedAt', 'sys_publishedVersion'];
  for (const [key, field] of Object.entries(MODEL[type])) {
    if (field.kind !== 'link' && field.kind !== 'long') names.push(key);
  }
  return new Set(names.flatMap((name) => [`${name}_ASC`, `${name}_DESC`]));
}

/** Entries are told apart by their id last, so that pages of a list never overlap. */
function comparison(order) {
  const keys = [...order.filter((name) => name !== null), 'sys_id_ASC'].map((name) => {
    const [, path, direction] = /^(.*)_(ASC|DESC)$/.exec(name);
    const pick = path.startsWith('sys_') ? (entry) => entry.sys[path.slice(4)] : (entry) => entry[path];
    return { pick, sign: direction === 'ASC' ? 1 : -1 };
  });
  return (a, b) => {
    for (const { pick, sign } of keys) {
      const difference = rank(pick(a) ?? null, pick(b) ?? null);
      if (difference !== 0) return sign * difference;
    }
    return 0;
  };
}

function rank(a, b) {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
  return typeof a === 'number' ? a - b : a.localeCompare(b, 'en');
}
