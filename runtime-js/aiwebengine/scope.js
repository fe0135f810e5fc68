// The names that a script finds without an import: `src/dialect/aiwebengine/scope.rs` lists them.

import { INFO, print, WARNING } from "ext:liveline/log.js";
import {
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSome,
  globalThis,
  JSONStringify,
  Proxy,
  SafeArrayIterator,
  String,
  TypeError,
} from "ext:liveline/primordials.js";
import { ResponseBuilder } from "ext:liveline_aiwebengine/answers.js";
import { dispatcherOf } from "ext:liveline_aiwebengine/dispatcher.js";
import { blockingFetch, webFetch } from "ext:liveline_aiwebengine/fetch.js";
import { graphQLNames } from "ext:liveline_aiwebengine/graphql_registry.js";
import { Fragment, h } from "ext:liveline_aiwebengine/jsx.js";
import { addRoute, callPlace, checkMethod, checkPath, readRegistration, scriptOf, scripts, streams } from "ext:liveline_aiwebengine/registry.js";
import { schedulerOf } from "ext:liveline_aiwebengine/scheduler.js";
import { registerSocket } from "ext:liveline_aiwebengine/sockets.js";
import { personalStorageOf, secretStorage, sharedStorageOf } from "ext:liveline_aiwebengine/storage.js";
import { broadcast, readFilter, registerStream, sendTo } from "ext:liveline_aiwebengine/streams.js";
import { testNames } from "ext:liveline_aiwebengine/testing.js";

/** Scripts whose `fetch()` returns a string. */
export const isBlocking = [];

/** What a missing part of aiwebengine is replaced by. */
const ABSENT = {
  __proto__: null,
  McpClient: "servers of MCP are called with fetch()",
  addUserRole: "this host has no accounts",
  assetStorage: "files of public/ are served as they are",
  database: 'import { openDatabase } from "liveline:sql"',
  deleteAsset: "delete the file in public/",
  deleteScript: "delete the file; it is noticed at once in development",
  fetchAsset: "files of public/ are served as they are",
  listAssets: "files of public/ are served as they are",
  listUsers: "this host has no accounts",
  mcpRegistry: "this host is no server of MCP",
  registerAssetRoute: "put the file into public/",
  registerPublicAsset: "put the file into public/",
  removeUserRole: "this host has no accounts",
  upsertAsset: "put the file into public/",
  upsertScript: "write the file; it is noticed at once in development",
  users: "this host has no accounts",
};

/** Something whose use is an error that states what to do instead. */
function absent(name, instead) {
  const fail = (member) => {
    throw new TypeError(`${name}${member} does not exist on this host: ${instead}.`);
  };
  return new Proxy(function () {}, {
    __proto__: null,
    get: (_, member) => typeof member === "symbol" ? undefined : fail(`.${member}()`),
    apply: () => fail("()"),
    construct: () => fail(""),
  });
}

/** A line of a script's log. */
function write(script, values, level) {
  const text = ArrayPrototypeMap(values, (value) => shown(value));
  let line = "";
  for (const part of new SafeArrayIterator(text)) line += line === "" ? part : ` ${part}`;
  script.log(line);
  print(`[${callPlace(script)}] ${line}`, level);
}

function shown(value) {
  if (typeof value === "string") return value;
  try {
    return value?.stack ?? JSONStringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** Routes registered as `registerRoute(path, handler, method, meta)`. */
function registerRoute(script, path, handler, method, meta) {
  checkPath("registerRoute()", path, "route");
  if (typeof handler !== "string" && typeof handler !== "function") {
    throw new TypeError(`registerRoute(): the handler of ${path} is a function or the name of one.`);
  }
  const known = checkMethod("registerRoute()", method);
  addRoute(script, path, handler, known, meta);
  return `Route ${known} ${path} registered`;
}

/** The scope of a script, for the module that exports its names. */
export function makeScope(file, blocks) {
  const script = scriptOf(file);
  if (blocks) ArrayPrototypePush(isBlocking, script.name);
  return {
    __proto__: null,
    names: namesFor(script, blocks),
    bind(bindings, calledInit) {
      script.bindings = bindings;
      script.calledInit = calledInit;
    },
  };
}

function namesFor(script, blocks) {
  const names = { __proto__: null };
  for (const name in ABSENT) names[name] = absent(name, ABSENT[name]);

  names.register = (...args) => {
    const { path, handler, method } = readRegistration(args);
    addRoute(script, path, handler, method);
    return `Route ${method} ${path} registered`;
  };
  names.registerWebStream = (path, customizer) => registerStream(script, "registerWebStream()", path, customizer);
  names.registerStreamRoute = (path, customizer) => registerStream(script, "registerStreamRoute()", path, customizer);
  names.registerWebSocket = (path, handler) => registerSocket(script, path, handler);
  const sendToPath = (path, data) => sendTo("sendStreamMessageToPath()", path, data);
  const sendFiltered = (path, data, filter, mode) => {
    const call = "sendStreamMessageFiltered()";
    return sendTo(call, path, data, readFilter(call, filter, mode));
  };
  // With one argument it is a message for all streams; with two, the first is a path.
  names.sendStreamMessage = (...args) => args.length > 1 ? sendToPath(args[0], args[1]) : broadcast(script, args[0]);
  names.sendStreamMessageToPath = sendToPath;
  names.sendStreamMessageFiltered = sendFiltered;
  names.listStreams = () => JSONStringify([...streams.keys()]);
  names.streamStatistics = names.listStreams;
  names.routeRegistry = {
    __proto__: null,
    registerRoute: (path, handler, method, meta) => registerRoute(script, path, handler, method, meta),
    registerStreamRoute: (path, customizer, meta) =>
      registerStream(script, "registerStreamRoute()", path, typeof customizer === "object" ? meta : customizer),
    registerAssetRoute: absent("routeRegistry.registerAssetRoute", ABSENT.registerAssetRoute),
    sendStreamMessage: (...args) => names.sendStreamMessage(...new SafeArrayIterator(args)),
    sendStreamMessageFiltered: sendFiltered,
    listStreams: names.listStreams,
    registerWebSocket: names.registerWebSocket,
  };

  const graphql = graphQLNames(script);
  for (const name in graphql) names[name] = graphql[name];

  names.writeLog = (...values) => write(script, values, INFO);
  names.writeDebug = names.writeLog;
  names.writeError = (...values) => write(script, values, WARNING);
  names.listLogs = () => ArrayPrototypeMap(script.logs, (line) => line);
  names.listScripts = () => ArrayPrototypeMap([...scripts.values()], ({ name }) => name);
  names.getScriptInitStatus = (name) => {
    const found = [...scripts.values()];
    const isReady = ArrayPrototypeSome(found, (it) => it.name === (name ?? script.name) && it.hasLoaded);
    return JSONStringify({ scriptName: name ?? script.name, initialized: isReady });
  };
  names.getScript = absent("getScript", "read the file");

  names.ResponseBuilder = ResponseBuilder;
  names.h = h;
  names.Fragment = Fragment;
  names.fetch = blocks ? blockingFetch : webFetch;
  names.sharedStorage = sharedStorageOf(script);
  names.scriptStorage = names.sharedStorage;
  names.personalStorage = personalStorageOf(script);
  names.userStorage = names.personalStorage;
  names.secretStorage = secretStorage;
  names.Secrets = secretStorage;
  names.schedulerService = schedulerOf(script);
  names.scheduler = names.schedulerService;
  names.dispatcher = dispatcherOf(script);
  names.convert = convert;
  names.auth = {
    __proto__: null,
    isAuthenticated: false,
    currentUser: () => null,
    requireAuth() {
      throw new TypeError("Authentication required: this host has no accounts of aiwebengine.");
    },
  };
  const tests = testNames();
  for (const name in tests) names[name] = tests[name];
  return names;
}

const convert = {
  __proto__: null,
  btoa: (text) => globalThis.btoa(text),
  atob: (text) => globalThis.atob(text),
  markdown_to_html: absent("convert.markdown_to_html", "import a package such as marked from npm"),
  render_handlebars_template: absent("convert.render_handlebars_template", "import handlebars from npm"),
};
