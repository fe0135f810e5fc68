// The schema of what scripts have registered, and the execution of operations, by the package graphql of npm.

import { core } from "ext:core/mod.js";
import { isPromise } from "ext:liveline/errors/exceptions.js";
import { topic } from "ext:liveline/topic/topic.js";
import {
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  Error,
  JSONParse,
  JSONStringify,
  ObjectEntries,
  SafeArrayIterator,
  SafeMap,
  String,
  SymbolAsyncIterator,
  TypeError,
} from "ext:liveline/primordials.js";
import { conflicts, fields, version } from "ext:liveline_aiwebengine/graphql_registry.js";
import { plainContext } from "ext:liveline_aiwebengine/request.js";
import { pathOfSubscription, topicOf } from "ext:liveline_aiwebengine/streams.js";

const graphql = core.createLazyLoader("ext:liveline_aiwebengine/graphql_package.js")();
if (graphql.execute === undefined) {
  throw new TypeError("This liveline was built without GraphQL: build it with `cargo xtask`, where node and npm are on the PATH.");
}

const ROOTS = ["Query", "Mutation", "Subscription"];
/** How deep an operation may be, and how many fields it may have. */
const MAX_DEPTH = 32;
const MAX_FIELDS = 1000;
/** The longest operation, in tokens. */
const MAX_TOKENS = 10_000;

let schema = null;
let made = -1;

/** The definitions in the text of a field: `type Query { a: A }`, other types with it, or only `a: A`. */
function definitionsOf(field) {
  const failed = (error) => {
    const place = error.locations?.[0];
    const where = place === undefined ? "" : ` (line ${place.line}, column ${place.column} of its text)`;
    return new TypeError(`${field.script.name}: the type of the ${field.root} ${field.name} is no GraphQL: ${error.message}${where}`);
  };
  const parse = (text) => graphql.parse(text, { noLocation: true, maxTokens: 100_000 });
  let document;
  try {
    document = parse(field.sdl);
  } catch (error) {
    try {
      document = parse(`type ${field.root} { ${field.sdl}\n}`);
    } catch {
      throw failed(error);
    }
  }
  return document.definitions;
}

function isRoot({ kind, name }) {
  const { Kind } = graphql;
  const isType = kind === Kind.OBJECT_TYPE_DEFINITION || kind === Kind.OBJECT_TYPE_EXTENSION;
  return isType && ArrayPrototypeSome(ROOTS, (root) => root === name.value);
}

/** The schema, made again after registrations. */
function currentSchema() {
  if (made === version()) return schema;
  const { Kind } = graphql;
  // The fields of each root, and other types with the script of each.
  const roots = { __proto__: null, Query: [], Mutation: [], Subscription: [] };
  const seen = new SafeMap(), types = [];
  for (const field of new SafeArrayIterator(fields)) {
    for (const definition of new SafeArrayIterator(definitionsOf(field))) {
      if (isRoot(definition)) {
        for (const it of new SafeArrayIterator(definition.fields ?? [])) addField(roots[definition.name.value], it);
        continue;
      }
      const key = definition.name?.value ?? definition.kind, text = graphql.print(definition);
      const before = seen.get(key);
      if (before === undefined) {
        seen.set(key, { text, script: field.script });
        ArrayPrototypePush(types, definition);
      } else if (before.text !== text) {
        throw new TypeError(`GraphQL: the type ${key} is declared by ${before.script.name} and, otherwise, by ${field.script.name}`);
      }
    }
  }
  if (roots.Query.length === 0) {
    addField(roots.Query, graphql.parse("type Query { _empty: Boolean }").definitions[0].fields[0]);
  }
  for (const root of new SafeArrayIterator(ROOTS)) {
    if (roots[root].length === 0) continue;
    ArrayPrototypePush(types, { kind: Kind.OBJECT_TYPE_DEFINITION, name: { kind: Kind.NAME, value: root }, fields: roots[root], interfaces: [], directives: [] });
  }
  const next = graphql.buildASTSchema({ kind: Kind.DOCUMENT, definitions: types });
  for (const field of new SafeArrayIterator(fields)) {
    const type = next.getType(field.root)?.getFields()[field.name];
    if (type === undefined) {
      throw new TypeError(`GraphQL: ${field.script.name} has registered the ${field.root} ${field.name}, and its type declares no field of this name.`);
    }
    attach(field, type);
  }
  schema = next;
  made = version();
  return schema;
}

function addField(list, field) {
  if (!ArrayPrototypeSome(list, (it) => it.name.value === field.name.value)) ArrayPrototypePush(list, field);
}

/** Calls the function of a script for a field. */
function attach(field, target) {
  const call = (args, context) => {
    const given = { ...(context ?? plainContext("graphql", null)), kind: `graphql${field.root}`, args };
    return field.script.resolve(field.handler, `the ${field.root} ${field.name} of GraphQL`)(given);
  };
  const read = (value) => valueOf(target.type, value);
  if (field.root !== "Subscription") {
    target.resolve = (_source, args, context) => {
      const result = call(args, context);
      return isPromise(result) ? later(result, read) : read(result);
    };
    return;
  }
  target.subscribe = (_source, args, context) => events(field, () => call(args, context));
  target.resolve = (event) => read(event);
}

const later = async (promise, read) => read(await promise);

/** A result as the value of a field: texts of objects and lists are JSON, and objects of text fields become that. */
function valueOf(type, value) {
  const named = graphql.getNullableType(type);
  const isObject = graphql.isCompositeType(graphql.getNamedType(type)) || graphql.isListType(named);
  if (typeof value === "string" && isObject) return JSONParse(value);
  if (value !== null && typeof value === "object" && !isObject && (named.name === "String" || named.name === "ID")) {
    return JSONStringify(value);
  }
  if (typeof value === "string" && !isObject && named.name !== "String" && named.name !== "ID") {
    try {
      return JSONParse(value);
    } catch {
      return value;
    }
  }
  return value;
}

/** The events of a subscription: what its function returned, then the messages. */
async function events(field, call) {
  const path = pathOfSubscription(field.name);
  topicOf(path);
  if (!field.isFiltering) {
    // Messages that are sent while the function runs are not missed.
    const messages = topic(path).messages();
    try {
      const first = await call();
      return sequence(messages, first === undefined || first === null ? [] : [first]);
    } catch (error) {
      messages.return();
      throw error;
    }
  }
  const metadata = await call();
  const options = metadata !== null && typeof metadata === "object" ? { metadata: texts(metadata) } : undefined;
  return sequence(topic(path).messages(options), []);
}

function texts(values) {
  const all = { __proto__: null };
  for (const { 0: name, 1: value } of new SafeArrayIterator(ObjectEntries(values))) all[name] = String(value);
  return all;
}

function sequence(messages, first) {
  let at = 0;
  return {
    async next() {
      if (at < first.length) return { value: first[at++], done: false };
      while (true) {
        const { value, done } = await messages.next();
        if (done) return { value: undefined, done: true };
        if (value.gap !== true) return { value: value.data, done: false };
      }
    },
    return: () => messages.return(),
    throw: () => messages.return(),
    [SymbolAsyncIterator]() {
      return this;
    },
  };
}

/** Reads an operation. @returns {{ errors: object[] } | { document: object, kind: string }} */
export function prepare({ query, operationName }) {
  if (typeof query !== "string") return { errors: [{ message: "The request has no `query`, which is a string." }] };
  let document;
  try {
    document = graphql.parse(query, { maxTokens: MAX_TOKENS });
  } catch (error) {
    return { errors: [shownError(error)] };
  }
  const known = currentSchema();
  const errors = graphql.validate(known, document, undefined, { maxErrors: 20 });
  if (errors.length > 0) return { errors: ArrayPrototypeMap(errors, shownError) };
  const tooLarge = checkSize(document);
  if (tooLarge !== undefined) return { errors: [{ message: tooLarge }] };
  const operation = graphql.getOperationAST(document, operationName ?? undefined);
  if (operation === null || operation === undefined) {
    return { errors: [{ message: operationName ? `There is no operation named "${operationName}".` : "The document has several operations: operationName has to name one." }] };
  }
  return { document, kind: operation.operation };
}

/** Why a document asks for too much; undefined if it does not. */
function checkSize(document) {
  const fragments = { __proto__: null };
  for (const it of new SafeArrayIterator(document.definitions)) if (it.kind === graphql.Kind.FRAGMENT_DEFINITION) fragments[it.name.value] = it;
  let count = 0;
  const visit = (node, depth) => {
    if (depth > MAX_DEPTH) return `The operation is deeper than ${MAX_DEPTH} fields.`;
    for (const it of new SafeArrayIterator(node.selectionSet?.selections ?? [])) {
      if (++count > MAX_FIELDS) return `The operation has more than ${MAX_FIELDS} fields.`;
      const inner = it.kind === graphql.Kind.FRAGMENT_SPREAD ? fragments[it.name.value] : it;
      const problem = inner === undefined ? undefined : visit(inner, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
  for (const it of new SafeArrayIterator(document.definitions)) {
    const problem = visit(it, 0);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const shownError = (error) => typeof error?.toJSON === "function" ? error.toJSON() : { message: error?.message ?? String(error) };

const argumentsOf = (document, { variables, operationName }, context) => ({
  schema: currentSchema(),
  document,
  variableValues: variables ?? undefined,
  operationName: operationName ?? undefined,
  contextValue: context,
});

/** Executes a query or a mutation. */
export async function execute(document, request, context) {
  return shownResult(await graphql.execute(argumentsOf(document, request, context)));
}

/** Begins a subscription: its results, or the one result with the reason why there are none. */
export function subscribe(document, request, context) {
  return graphql.subscribe(argumentsOf(document, request, context));
}

/** A result with its errors as JSON has them. */
export function shownResult(result) {
  if (result.errors === undefined) return result;
  return { ...result, errors: ArrayPrototypeMap(result.errors, shownError) };
}

/** Executes an operation that waits for nothing. */
export function executeNow(query, variables) {
  const prepared = prepare({ query });
  if (prepared.errors !== undefined) return { errors: prepared.errors };
  const result = graphql.execute(argumentsOf(prepared.document, { variables }, plainContext("graphql", null)));
  if (isPromise(result)) throw new Error("executeGraphQL(): a function of the query is asynchronous; send the query to /graphql.");
  return shownResult(result);
}

/** Why the schema cannot be made. */
export function problems() {
  if (conflicts.length > 0) return [];
  try {
    currentSchema();
    return [];
  } catch (error) {
    return [{ message: error.message }];
  }
}
