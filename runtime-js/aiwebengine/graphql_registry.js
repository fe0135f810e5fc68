// What scripts have registered of GraphQL. The library that executes it is loaded with the first query.

import { core } from "ext:core/mod.js";
import {
  ArrayPrototypeIndexOf,
  ArrayPrototypePush,
  JSONParse,
  JSONStringify,
  SafeArrayIterator,
  SafeMap,
  String,
  TypeError,
} from "ext:liveline/primordials.js";
import { encoded, pathOfSubscription, publish, readFilter } from "ext:liveline_aiwebengine/streams.js";

/** The longest name of a query, and the longest text of its types, in characters. */
const MAX_NAME = 100;
const MAX_SDL = 100_000;
const FORBIDDEN = ["__proto__", "constructor", "prototype"];

/**
 * One query, mutation or subscription. `isFiltering` says that a subscription's function returns the metadata of its
 * subscriber, and not a first value.
 * @typedef {{ root: string, name: string, sdl: string, handler: string | Function, script: object, isFiltering: boolean }} Field
 */

/** @type {Field[]} */
export const fields = [];
/** By root and name. @type {Map<string, Field>} */
const known = new SafeMap();
/** Names that two scripts have registered, as problems of the load. */
export const conflicts = [];
let changes = 0;

/** Grows with each registration. */
export const version = () => changes;

function add(script, call, root, name, sdl, handler, isFiltering) {
  if (typeof name !== "string" || name === "") throw new TypeError(`Invalid GraphQL name. ${call}: the first argument is a name.`);
  if (name.length > MAX_NAME) throw new TypeError(`Invalid GraphQL name. ${call}: it has ${name.length} characters, and ${MAX_NAME} are the most.`);
  for (const forbidden of new SafeArrayIterator(FORBIDDEN)) {
    if (name === forbidden) throw new TypeError(`Invalid GraphQL name. ${call}: a field cannot be called ${name}.`);
  }
  if (typeof sdl !== "string" || sdl === "") throw new TypeError(`Invalid GraphQL schema. ${call}: the second argument is the type of ${name}.`);
  if (sdl.length > MAX_SDL) throw new TypeError(`Invalid GraphQL schema. ${call}: it has ${sdl.length} characters, and ${MAX_SDL} are the most.`);
  if (typeof handler !== "string" && typeof handler !== "function") {
    throw new TypeError(`Invalid GraphQL resolver. ${call}: the third argument is a function or the name of one.`);
  }
  const key = `${root} ${name}`, field = { root, name, sdl, handler, script, isFiltering };
  const before = known.get(key);
  changes += 1;
  if (before === undefined) {
    known.set(key, field);
    ArrayPrototypePush(fields, field);
  } else if (before.script !== script) {
    ArrayPrototypePush(conflicts, {
      message: `${root} ${name} of GraphQL is registered by ${before.script.name} and by ${script.name}`,
      file: script.file,
      help: "register it once, or give one of them another name",
    });
  } else {
    fields[ArrayPrototypeIndexOf(fields, before)] = field;
    known.set(key, field);
  }
  return `GraphQL ${root} '${name}' registered`;
}

/** The names of GraphQL, for one script. */
export function graphQLNames(script) {
  const registers = (call, root, isFiltering) => (name, sdl, handler) => add(script, call, root, name, sdl, handler, isFiltering);
  const send = (name, data) => sendSubscription("sendSubscriptionMessage()", name, data);
  const sendFiltered = (name, data, filter, mode) => {
    const call = "sendSubscriptionMessageFiltered()";
    return sendSubscription(call, name, data, readFilter(call, filter, mode));
  };
  const execute = (query, variables) => {
    const values = typeof variables === "string" && variables !== "" ? JSONParse(variables) : variables ?? undefined;
    return JSONStringify(library().executeNow(String(query), values));
  };
  return {
    __proto__: null,
    executeGraphQL: execute,
    graphQLRegistry: {
      __proto__: null,
      registerQuery: registers("registerQuery()", "Query", false),
      registerMutation: registers("registerMutation()", "Mutation", false),
      registerSubscription: registers("registerSubscription()", "Subscription", true),
      executeGraphQL: execute,
      sendSubscriptionMessage: send,
      sendSubscriptionMessageFiltered: sendFiltered,
    },
    registerGraphQLMutation: registers("registerGraphQLMutation()", "Mutation", false),
    registerGraphQLQuery: registers("registerGraphQLQuery()", "Query", false),
    registerGraphQLSubscription: registers("registerGraphQLSubscription()", "Subscription", false),
    sendSubscriptionMessage: send,
    sendSubscriptionMessageFiltered: sendFiltered,
    sendSubscriptionMessageToPath: send,
  };
}

function sendSubscription(call, name, data, options = undefined) {
  if (!known.has(`Subscription ${String(name)}`)) {
    throw new TypeError(`Error: no GraphQL subscription is named '${String(name)}'. ${call} sends to one that is registered.`);
  }
  const count = publish(pathOfSubscription(name), encoded(call, data), options);
  return `Subscription message sent to ${count} ${count === 1 ? "connection" : "connections"} of '${name}'`;
}

/** The subscription of a name. */
export const subscriptionNamed = (name) => known.get(`Subscription ${name}`);

let loaded = null;

/** What executes GraphQL. */
export function library() {
  return loaded ??= core.createLazyLoader("ext:liveline_aiwebengine/graphql_schema.js")();
}
