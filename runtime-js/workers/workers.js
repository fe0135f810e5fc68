// The Workers dialect: modules with `fetch`, `scheduled` and `queue`, functions of Pages and the classes of actors. All
// of them are one application, which answers every request; `src/dialect/workers/` is the other half.

import { binding, classesOf, environmentOf } from "./environment.js";
import { EntrypointStub, entrypoints, isActorClass, isEntrypoint, setEntrypoints } from "./entrypoints.js";
import { ExecutionContext, requestFor } from "./context.js";
import { answerByAssets, configureAssets, isAssetFirst, isForCode, missingAsset, pageBeforeWorker } from "./assets.js";
import { addFunction, functionFor } from "./functions.js";
import { defineGlobals, defineName } from "./globals.js";
import "./modules.js";
import { isScheduledRequest, runScheduled, startCrons } from "./scheduled.js";
import { startConsumers } from "./queue.js";
import { answerByListeners, defineBindings, defineListening, hasListener, scheduleByListeners } from "./service_worker.js";
import { currentUrl } from "./url.js";
import { configure as configureActors, hasClass, registerClass, setEnv } from "./actors.js";
import { noteThrower } from "../dispatch/throwers.js";
import { kExchange } from "../event/event.js";
import {
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  JSONParse,
  Number,
  NumberIsInteger,
  ObjectKeys,
  Response,
  SafeArrayIterator,
  SafeMap,
  StringPrototypeLastIndexOf,
  StringPrototypeSlice,
  TypeError,
} from "../primordials.js";

/** What `src/dialect/workers/` has read; null for sites without a Worker. */
let settings = null;
/** Names of `define` that cannot be defined, and why. */
let undefinable = [];
/** The names of actor classes that the configuration names. */
let bound = [];
/** The parts of the application, by file. @type {Map<string, object[]>} */
const parts = new SafeMap();
/** The module of the Worker, once it is loaded: `{ module, filename }`. */
let main = null;

/** From these dates on the platform behaves in another way. */
const BLOB_MESSAGES = "2026-03-17";
const DELETES_ALARM = "2026-02-24";

/** Whether a behaviour is on that has a date and two flags. */
function isOn(date, on, off) {
  const has = (flag) => ArrayPrototypeSome(settings.flags ?? [], (it) => it === flag);
  return has(on) || (!has(off) && (settings.date ?? DEFAULT_DATE) >= date);
}
const DEFAULT_DATE = "9999";

/** The limit that a variable of the configuration sets; 0 for none. */
function limit(name) {
  const value = Number(environmentOf()[name]);
  return NumberIsInteger(value) && value > 0 ? value : 0;
}

/** @type {import("../dispatch/dialects.js").Dialect} */
export const workers = {
  __proto__: null,
  configure(json, testsTriggers) {
    settings = JSONParse(json);
    settings.testsTriggers = testsTriggers;
    for (const part of new SafeArrayIterator(settings.parts)) {
      const known = parts.get(part.file);
      if (known === undefined) parts.set(part.file, [part]);
      else ArrayPrototypePush(known, part);
    }
    const flags = { __proto__: null };
    for (const flag of new SafeArrayIterator(settings.flags ?? [])) flags[flag] = true;
    defineGlobals(flags);
    for (const it of new SafeArrayIterator(settings.bindings ?? [])) binding(it);
    for (const name of new SafeArrayIterator(ObjectKeys(settings.secrets))) {
      binding({ name, kind: "var", value: settings.secrets[name], place: ".dev.vars" });
    }
    if (settings.isScript) {
      defineListening();
      defineBindings(environmentOf(), ObjectKeys(environmentOf()));
    }
    bound = classesOf(settings);
    setEnv(() => environmentOf());
    configureAssets(settings, isOn("2025-04-01", "assets_navigation_prefers_asset_serving",
      "assets_navigation_has_no_effect"));
    configureActors({
      binaryType: isOn(BLOB_MESSAGES, "websocket_standard_binary_type", "no_websocket_standard_binary_type")
        ? "blob"
        : "arraybuffer",
      deleteAllDeletesAlarm: isOn(DELETES_ALARM, "delete_all_deletes_alarm", "delete_all_preserves_alarm"),
      maxSockets: limit("MAX_CONNECTIONS_PER_ROOM"),
      messageRate: limit("MESSAGE_RATE_LIMIT"),
    });
    undefinable = [];
    for (const { name, text, line } of new SafeArrayIterator(settings.define ?? [])) {
      try {
        defineName(name, text);
      } catch ({ message }) {
        ArrayPrototypePush(undefinable, { message: `\`${name}\` of \`define\` cannot be defined: ${message}`, line });
      }
    }
  },
  load(module, filename) {
    for (const part of new SafeArrayIterator(parts.get(filename) ?? [])) {
      if (part.part === "main") {
        main = { module, filename };
        setEntrypoints(module);
        registerClasses(module, filename, false);
      } else if (part.part === "classes") {
        registerClasses(module, filename, true);
      } else {
        addFunction(part, module, filename);
      }
    }
    return { __proto__: null, default: (event, next) => answer(event, next) };
  },
  problems() {
    if (settings === null) return [];
    const problems = ArrayPrototypeMap(undefinable, (problem) => ({ ...problem, file: settings.file }));
    const missing = (name, line, what) => {
      ArrayPrototypePush(problems, {
        message: `${what} names the class ${name}, which no module exports`,
        file: settings.file,
        line,
        help: main === null
          ? "export it from a file in durable-objects/, or from the module that `main` names"
          : `export it from ${main.filename}, or from a file in durable-objects/`,
      });
    };
    for (const it of new SafeArrayIterator(settings.bindings ?? [])) {
      if (it.kind === "actor" && !hasClass(it.class)) missing(it.class, it.line, `the binding ${it.name}`);
      const isService = it.kind === "service" && it.entrypoint !== null;
      if (isService && entrypoints()[it.entrypoint] === undefined) {
        missing(it.entrypoint, it.line, `the binding ${it.name}`);
      }
    }
    return problems;
  },
  /** All parts are loaded: begins what runs without a request. */
  start() {
    if (settings === null) return;
    startCrons(settings.crons ?? [], handlerOf("scheduled"));
    startConsumers(settings.consumers ?? [], handlerOf("queue"));
  },
};

/** Registers the classes of actors that a module exports. */
function registerClasses(module, filename, isFolder) {
  for (const name of new SafeArrayIterator(ObjectKeys(module))) {
    const Class = module[name];
    const known = name === "default" && isFolder ? stemOf(filename) : name;
    const isBound = ArrayPrototypeSome(bound, (it) => it === known);
    if (typeof Class === "function" && (isBound || isActorClass(Class))) registerClass(known, Class);
  }
}

/** The name of a file without folder and extension. */
function stemOf(filename) {
  const name = StringPrototypeSlice(filename, StringPrototypeLastIndexOf(filename, "/") + 1);
  return StringPrototypeSlice(name, 0, StringPrototypeLastIndexOf(name, "."));
}

/** The function of the Worker's default export that handles an event, with its owner; null if it has none. */
function handlerOf(name) {
  const worker = main?.module.default;
  if (worker === undefined || worker === null) return name === "scheduled" && hasListener(name) ? scheduleByListeners : null;
  if (isEntrypoint(worker)) {
    if (typeof worker.prototype[name] !== "function") return null;
    return (event, ctx) => new worker(ctx, environmentOf())[name](event);
  }
  if (typeof worker[name] !== "function") return null;
  return (event, ctx) => worker[name](event, environmentOf(), ctx);
}

/** Answers a request. */
async function answer(event, next) {
  const exchange = event[kExchange];
  const request = requestFor(event, exchange);
  if (settings.testsTriggers && isScheduledRequest(exchange)) {
    return runScheduled(exchange, handlerOf("scheduled"));
  }
  if (!isForCode(exchange)) return answerByFiles(exchange, next);
  const matched = functionFor(exchange);
  if (matched !== null) {
    return run(exchange, matched.filename, () => matched.run(request, exchange, next));
  }
  if (main === null) return answerByFiles(exchange, next);
  if (isAssetFirst(exchange)) {
    const asset = await answerByAssets(exchange);
    if (asset !== null) return asset;
    const page = await pageBeforeWorker(exchange);
    if (page !== null) return page;
  }
  return run(exchange, main.filename, () => fetchOf(main)(request, exchange));
}

/** Answers a request that no code is for. */
async function answerByFiles(exchange, next) {
  return await answerByAssets(exchange) ?? await missingAsset(exchange, exchange.method, currentUrl(exchange).pathname) ??
    next();
}

/** Runs a handler, whose result is a Response. An error of it belongs to the handler's file. */
async function run(exchange, filename, handle) {
  try {
    return checked(await handle(), filename, exchange);
  } catch (error) {
    noteThrower(error, filename, "default");
    throw error;
  }
}

/** The function that answers requests in a Worker's module. */
function fetchOf({ module, filename }) {
  const worker = module.default;
  if (isEntrypoint(worker)) {
    return (request, exchange) => EntrypointStub.instance(worker, exchange, undefined).fetch(request);
  }
  if (typeof worker?.fetch === "function") {
    return (request, exchange) => worker.fetch(request, environmentOf(), new ExecutionContext(exchange));
  }
  if (typeof worker === "function") {
    return (request, exchange) => worker(request, new ExecutionContext(exchange).withEnvironment(request));
  }
  if (hasListener("fetch")) return (request, exchange) => answerByListeners(request, exchange, filename);
  throw new TypeError(
    `${filename} handles no requests: it has no default export with fetch(), as in ` +
      "`export default { fetch(request, env, ctx) { ... } }`, and no addEventListener(\"fetch\", ...) in a script without exports.",
  );
}

/** A handler's result, which is a Response. */
function checked(result, filename, exchange) {
  if (result instanceof Response) return result;
  const what = result === null || typeof result !== "object" ? `${result}` : result.constructor?.name ?? "an object";
  throw new TypeError(`The handler in ${filename} answers ${exchange.method} with ${what}, and not with a Response.`);
}

