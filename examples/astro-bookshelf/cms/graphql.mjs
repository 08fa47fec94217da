// A small, honest part of GraphQL: one query operation with variables, fields, aliases, arguments and nested selections.
// What is outside of that part (fragments, directives, mutations, block strings) is refused by name, never half-done.
// Pure: a schema and a source go in, `{ data }` or `{ errors }` comes out.
//
// A schema is `{ types, inputs, enums }`:
//   types   { TypeName: { field: { type, args?, resolve? } } }   a type without an entry here is a scalar
//   inputs  { InputName: { field: type } }
//   enums   { EnumName: Set of names }
// Types are written as in GraphQL: "Int", "String!", "[Book]!". A resolver gets (parent, args) and returns plain values;
// it may throw a QueryError. Without a resolver a field is the parent's property of that name.

const LIMITS = { sourceBytes: 8192, tokens: 2000, depth: 12 };

/** What the asker did wrong; becomes one member of `errors`. */
export class QueryError extends Error {
  constructor(message, code = 'INVALID_QUERY', at = null) {
    super(message);
    this.code = code;
    this.at = at;
  }
}

/** Runs `source` against `schema`; `root` is the parent of the outermost fields. Never throws for bad input. */
export function runQuery(schema, source, variables, root) {
  try {
    if (typeof source !== 'string' || source.trim() === '') throw new QueryError('The request has no query.');
    if (Buffer.byteLength(source) > LIMITS.sourceBytes) {
      throw new QueryError(`The query is longer than ${LIMITS.sourceBytes} bytes.`, 'QUERY_TOO_BIG');
    }
    const operation = parse(source);
    const values = bindVariables(schema, operation, variables ?? {});
    const plan = planSelection(schema, 'Query', operation.selection, values);
    for (const name of operation.declared.keys()) {
      if (!values.used.has(name)) throw new QueryError(`Variable "$${name}" is never used.`);
    }
    return { data: complete(plan, root), operation: operation.name };
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    return { errors: [describe(error, source)] };
  }
}

function describe(error, source) {
  const described = { message: error.message, extensions: { contentful: { code: error.code } } };
  if (error.at !== null) {
    const before = source.slice(0, error.at).split('\n');
    described.locations = [{ line: before.length, column: before.at(-1).length + 1 }];
  }
  return described;
}

// ---- Reading: characters to tokens to one operation

const TOKEN = new RegExp(
  [
    String.raw`[\s,\uFEFF]+`,
    String.raw`#[^\n]*`,
    String.raw`(?<name>[_A-Za-z][_0-9A-Za-z]*)`,
    String.raw`(?<float>-?\d+(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+))`,
    String.raw`(?<int>-?\d+)`,
    String.raw`(?<block>""")`,
    String.raw`(?<string>"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9A-Fa-f]{4})*")`,
    String.raw`(?<spread>\.\.\.)`,
    String.raw`(?<mark>[!$():=@[\]{|}])`,
  ].join('|'),
  'y',
);

function tokenize(source) {
  const tokens = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (!match)
      throw new QueryError(`Syntax error: unexpected character "${source[at]}".`, 'INVALID_QUERY', at);
    const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    if (!kind) continue;
    if (kind === 'block') throw new QueryError('Block strings are not supported here.', 'NOT_SUPPORTED', at);
    if (kind === 'spread') throw new QueryError('Fragments are not supported here.', 'NOT_SUPPORTED', at);
    tokens.push({ kind, text: match[0], at });
    if (tokens.length > LIMITS.tokens)
      throw new QueryError('The query has too many tokens.', 'QUERY_TOO_BIG', at);
  }
  tokens.push({ kind: 'end', text: 'the end of the query', at: source.length });
  return tokens;
}

class Reader {
  constructor(source) {
    this.tokens = tokenize(source);
    this.next = 0;
    this.depth = 0;
  }

  get token() {
    return this.tokens[this.next];
  }

  is(text) {
    return this.token.kind === 'mark' && this.token.text === text;
  }

  take(text) {
    if (!this.is(text)) return false;
    this.next++;
    return true;
  }

  expect(text) {
    if (!this.take(text)) this.fail(`expected "${text}"`);
  }

  name() {
    if (this.token.kind !== 'name') this.fail('expected a name');
    return this.tokens[this.next++].text;
  }

  /** Every recursion of the parser passes here, so that a hostile query cannot exhaust the stack. */
  nested(read) {
    if (++this.depth > LIMITS.depth)
      throw new QueryError('The query is nested too deeply.', 'QUERY_TOO_BIG', this.token.at);
    const result = read();
    this.depth--;
    return result;
  }

  fail(expected) {
    throw new QueryError(
      `Syntax error: ${expected}, found ${JSON.stringify(this.token.text)}.`,
      'INVALID_QUERY',
      this.token.at,
    );
  }
}

function parse(source) {
  const reader = new Reader(source);
  let name = null;
  let declared = new Map();
  if (!reader.is('{')) {
    const at = reader.token.at;
    const word = reader.name();
    if (word === 'mutation' || word === 'subscription' || word === 'fragment') {
      throw new QueryError(`"${word}" is not supported here: only queries are.`, 'NOT_SUPPORTED', at);
    }
    if (word !== 'query') throw new QueryError(`Syntax error: unexpected "${word}".`, 'INVALID_QUERY', at);
    if (reader.token.kind === 'name') name = reader.name();
    if (reader.take('(')) declared = readDeclarations(reader);
    refuseDirective(reader);
  }
  const selection = readSelection(reader);
  if (reader.token.kind !== 'end') {
    throw new QueryError('Only one operation a request is supported here.', 'NOT_SUPPORTED', reader.token.at);
  }
  return { name, declared, selection };
}

function readDeclarations(reader) {
  const declared = new Map();
  do {
    const at = reader.token.at;
    reader.expect('$');
    const name = reader.name();
    if (declared.has(name))
      throw new QueryError(`Variable "$${name}" is declared twice.`, 'INVALID_QUERY', at);
    reader.expect(':');
    const type = readType(reader);
    const fallback = reader.take('=') ? readValue(reader) : undefined;
    declared.set(name, { type, fallback, at });
  } while (!reader.take(')'));
  return declared;
}

function readType(reader) {
  let type;
  if (reader.take('[')) {
    type = `[${reader.nested(() => readType(reader))}]`;
    reader.expect(']');
  } else {
    type = reader.name();
  }
  return reader.take('!') ? `${type}!` : type;
}

function readSelection(reader) {
  reader.expect('{');
  const fields = [];
  do fields.push(reader.nested(() => readField(reader)));
  while (!reader.take('}'));
  return fields;
}

function readField(reader) {
  const at = reader.token.at;
  let name = reader.name();
  let key = name;
  if (reader.take(':')) name = reader.name();
  const args = new Map();
  if (reader.take('(')) {
    do {
      const argument = reader.name();
      if (args.has(argument))
        throw new QueryError(`Argument "${argument}" is given twice.`, 'INVALID_QUERY', at);
      reader.expect(':');
      args.set(argument, readValue(reader));
    } while (!reader.take(')'));
  }
  refuseDirective(reader);
  return { key, name, args, at, selection: reader.is('{') ? readSelection(reader) : null };
}

function refuseDirective(reader) {
  if (reader.is('@'))
    throw new QueryError('Directives are not supported here.', 'NOT_SUPPORTED', reader.token.at);
}

function readValue(reader) {
  return reader.nested(() => {
    const { kind, text, at } = reader.token;
    if (reader.take('$')) return { kind: 'variable', value: reader.name(), at };
    if (reader.take('[')) {
      const items = [];
      while (!reader.take(']')) items.push(readValue(reader));
      return { kind: 'list', value: items, at };
    }
    if (reader.take('{')) {
      const fields = new Map();
      while (!reader.take('}')) {
        const name = reader.name();
        if (fields.has(name))
          throw new QueryError(`Input field "${name}" is given twice.`, 'INVALID_QUERY', at);
        reader.expect(':');
        fields.set(name, readValue(reader));
      }
      return { kind: 'object', value: fields, at };
    }
    if (!['name', 'int', 'float', 'string'].includes(kind)) reader.fail('expected a value');
    reader.next++;
    if (kind === 'string') return { kind, value: JSON.parse(text), at };
    if (kind === 'int' || kind === 'float') return { kind, value: Number(text), at };
    if (text === 'null') return { kind: 'null', value: null, at };
    if (text === 'true' || text === 'false') return { kind: 'boolean', value: text === 'true', at };
    return { kind: 'enum', value: text, at };
  });
}

// ---- Values: what was written, or sent as a variable, to what a resolver may rely on

const inner = (type) => type.slice(1, -1);
const bare = (type) => type.replace(/[[\]!]/g, '');

function bindVariables(schema, operation, sent) {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
    throw new QueryError('"variables" is not an object.');
  const values = { declared: new Map(), bound: new Map(), used: new Set() };
  for (const [name, { type, fallback, at }] of operation.declared) {
    if (!isInputType(schema, type))
      throw new QueryError(`Unknown type "${bare(type)}".`, 'INVALID_QUERY', at);
    if (Object.hasOwn(sent, name)) {
      values.bound.set(name, coerce(schema, type, literal(sent[name], at, 1), `variable "$${name}"`, values));
    } else if (fallback !== undefined) {
      values.bound.set(name, coerce(schema, type, fallback, `the default of "$${name}"`, values));
    } else if (type.endsWith('!')) {
      throw new QueryError(`Variable "$${name}" of type "${type}" was not provided.`, 'INVALID_QUERY', at);
    }
  }
  // Only now, so that a default cannot name another variable.
  values.declared = operation.declared;
  return values;
}

function isInputType(schema, type) {
  const name = bare(type);
  return name in SCALARS || Object.hasOwn(schema.enums, name) || Object.hasOwn(schema.inputs, name);
}

/** A JSON value in the shape of a written one, so that both take the same path. Strings may stand for enum names. */
function literal(value, at, depth) {
  if (depth > LIMITS.depth) throw new QueryError('A variable is nested too deeply.', 'QUERY_TOO_BIG', at);
  if (value === null) return { kind: 'null', value, at };
  if (Array.isArray(value))
    return { kind: 'list', value: value.map((item) => literal(item, at, depth + 1)), at };
  if (typeof value === 'object') {
    const fields = Object.entries(value).map(([name, item]) => [name, literal(item, at, depth + 1)]);
    return { kind: 'object', value: new Map(fields), at };
  }
  if (typeof value === 'number') return { kind: Number.isInteger(value) ? 'int' : 'float', value, at };
  return { kind: typeof value === 'string' ? 'json-string' : typeof value, value, at };
}

const SCALARS = {
  Int: ({ kind, value }) => kind === 'int' && value >= -(2 ** 31) && value < 2 ** 31,
  Float: ({ kind }) => kind === 'int' || kind === 'float',
  String: ({ kind }) => kind === 'string' || kind === 'json-string',
  ID: ({ kind }) => kind === 'string' || kind === 'json-string' || kind === 'int',
  Boolean: ({ kind }) => kind === 'boolean',
};

function coerce(schema, type, node, where, values) {
  if (node.kind === 'variable') {
    values.used.add(node.value);
    if (!values.declared.has(node.value))
      throw new QueryError(`Variable "$${node.value}" is not declared.`, 'INVALID_QUERY', node.at);
    const declared = values.declared.get(node.value).type;
    if (bare(declared) !== bare(type) || (declared.startsWith('[') && !type.startsWith('['))) {
      throw new QueryError(
        `Variable "$${node.value}" of type "${declared}" stands where "${type}" is expected.`,
        'INVALID_QUERY',
        node.at,
      );
    }
    const value = values.bound.get(node.value);
    if ((value === undefined || value === null) && type.endsWith('!')) {
      throw new QueryError(`${where} must not be null.`, 'INVALID_QUERY', node.at);
    }
    return type.startsWith('[') && !declared.startsWith('[') && value !== undefined && value !== null
      ? [value]
      : value;
  }
  if (type.endsWith('!')) {
    if (node.kind === 'null') throw new QueryError(`${where} must not be null.`, 'INVALID_QUERY', node.at);
    return coerce(schema, type.slice(0, -1), node, where, values);
  }
  if (node.kind === 'null') return null;
  if (type.startsWith('[')) {
    const items = node.kind === 'list' ? node.value : [node];
    return items.map((item) => coerce(schema, inner(type), item, where, values));
  }
  if (Object.hasOwn(schema.inputs, type)) return coerceInput(schema, type, node, where, values);
  if (Object.hasOwn(schema.enums, type)) {
    if ((node.kind === 'enum' || node.kind === 'json-string') && schema.enums[type].has(node.value))
      return node.value;
  } else if (SCALARS[type]?.(node)) {
    return type === 'ID' ? String(node.value) : node.value;
  }
  throw new QueryError(`${where} is not a valid ${type}.`, 'INVALID_QUERY', node.at);
}

function coerceInput(schema, type, node, where, values) {
  if (node.kind !== 'object')
    throw new QueryError(`${where} is not a valid ${type}.`, 'INVALID_QUERY', node.at);
  const result = {};
  for (const [name, item] of node.value) {
    const fieldType = Object.hasOwn(schema.inputs[type], name) ? schema.inputs[type][name] : null;
    if (!fieldType)
      throw new QueryError(`Field "${name}" is not defined by type "${type}".`, 'INVALID_QUERY', item.at);
    const value = coerce(schema, fieldType, item, `"${name}" in ${where}`, values);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

// ---- Planning (checks the whole query before anything is resolved), then completing

function planSelection(schema, typeName, selection, values) {
  const plan = new Map();
  for (const field of selection) {
    const step = planField(schema, typeName, field, values);
    const other = plan.get(field.key);
    if (other && (other.name !== step.name || JSON.stringify(other.args) !== JSON.stringify(step.args))) {
      throw new QueryError(`Fields "${field.key}" conflict: use an alias.`, 'INVALID_QUERY', field.at);
    }
    if (other?.plan)
      throw new QueryError(`Field "${field.key}" is asked for twice.`, 'NOT_SUPPORTED', field.at);
    plan.set(field.key, step);
  }
  return plan;
}

function planField(schema, typeName, field, values) {
  if (field.name === '__typename')
    return { name: field.name, args: {}, plan: null, list: false, resolve: () => typeName };
  const fields = schema.types[typeName];
  if (!Object.hasOwn(fields, field.name)) {
    throw new QueryError(
      `Cannot query field "${field.name}" on type "${typeName}".`,
      'UNKNOWN_FIELD',
      field.at,
    );
  }
  const { type, args: known = {}, resolve } = fields[field.name];
  const args = {};
  for (const [name, node] of field.args) {
    if (!Object.hasOwn(known, name)) {
      throw new QueryError(
        `Unknown argument "${name}" on field "${typeName}.${field.name}".`,
        'INVALID_QUERY',
        node.at,
      );
    }
    const value = coerce(schema, known[name], node, `argument "${name}"`, values);
    if (value !== undefined) args[name] = value;
  }
  for (const [name, argumentType] of Object.entries(known)) {
    if (argumentType.endsWith('!') && !Object.hasOwn(args, name)) {
      throw new QueryError(`Field "${field.name}" needs the argument "${name}".`, 'INVALID_QUERY', field.at);
    }
  }
  const composite = Object.hasOwn(schema.types, bare(type));
  if (composite && !field.selection) {
    throw new QueryError(
      `Field "${field.name}" of type "${type}" must have a selection of subfields.`,
      'INVALID_QUERY',
      field.at,
    );
  }
  if (!composite && field.selection) {
    throw new QueryError(
      `Field "${field.name}" of type "${type}" has no subfields.`,
      'INVALID_QUERY',
      field.at,
    );
  }
  const plan = composite ? planSelection(schema, bare(type), field.selection, values) : null;
  return {
    name: field.name,
    args,
    plan,
    list: type.startsWith('['),
    resolve: resolve ?? ((parent) => parent[field.name]),
  };
}

function complete(plan, parent) {
  const result = {};
  for (const [key, step] of plan) {
    const value = step.resolve(parent, step.args) ?? null;
    if (!step.plan || value === null) result[key] = value;
    else if (step.list) result[key] = value.map((item) => (item === null ? null : complete(step.plan, item)));
    else result[key] = complete(step.plan, value);
  }
  return result;
}
