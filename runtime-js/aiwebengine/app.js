// The scripts of a project as one application: which of them answers a request.

import { op_request_header } from "ext:core/ops";
import { kExchange } from "ext:liveline/event/event.js";
import { isPromise } from "ext:liveline/errors/exceptions.js";
import { print, WARNING } from "ext:liveline/log.js";
import {
  ArrayPrototypeIncludes,
  ArrayPrototypeJoin,
  ArrayPrototypeMap,
  ArrayPrototypePush,
  ArrayPrototypeSort,
  Date,
  DatePrototypeToISOString,
  JSONParse,
  PromiseReject,
  Response,
  ResponsePrototypeGetStatus,
  SafeArrayIterator,
  StringPrototypeIncludes,
} from "ext:liveline/primordials.js";
import { answerOf, failed, failure } from "ext:liveline_aiwebengine/answers.js";
import { answerGraphQL, graphQLProblems, isGraphQL, listedGraphQL } from "ext:liveline_aiwebengine/graphql_http.js";
import { allRoutes, matchRoute, missingHandlers, namesOf, Script, scripts, streams, targetOf } from "ext:liveline_aiwebengine/registry.js";
import { contextOf, contextWithBody, hasBody, plainContext } from "ext:liveline_aiwebengine/request.js";
import { startSchedules, stopSchedules } from "ext:liveline_aiwebengine/scheduler.js";
import { isBlocking, makeScope } from "ext:liveline_aiwebengine/scope.js";
import { answerSocket, isUpgrade, missingSocketHandlers, socketAt, socketPaths } from "ext:liveline_aiwebengine/sockets.js";
import { answerStream, configureStreams, endedAnswer, hasEnded, listedStream, startStreams } from "ext:liveline_aiwebengine/streams.js";

export const scopeOf = makeScope;

export function configure(json) {
  const settings = JSONParse(json);
  for (const { file, name, app } of new SafeArrayIterator(settings.scripts)) scripts.set(file, new Script(file, name, app));
  configureStreams(settings.options);
}

/** A script was evaluated: its `init()` is called, unless it has called that itself. */
export function load(filename, hasLoaded) {
  const script = scripts.get(filename);
  const handler = { __proto__: null, default: (event, next) => answer(event, next) };
  if (!hasLoaded) return handler;
  const init = script.calledInit ? undefined : script.lookUp("init");
  let result;
  try {
    result = init?.(plainContext("init", {
      scriptName: script.name,
      timestamp: DatePrototypeToISOString(new Date()),
      isStartup: true,
    }));
  } catch (error) {
    // The host reports it as an error of the file.
    return PromiseReject(error);
  }
  if (isPromise(result)) return afterInit(script, result, handler);
  script.hasLoaded = true;
  return handler;
}

async function afterInit(script, result, handler) {
  await result;
  script.hasLoaded = true;
  return handler;
}

export function problems() {
  return graphQLProblems();
}

/** All scripts are loaded. */
export function start() {
  for (const message of new SafeArrayIterator(missingHandlers())) print(message, WARNING);
  for (const message of new SafeArrayIterator(missingSocketHandlers())) print(message, WARNING);
  startStreams();
  startSchedules();
}

export function dispose() {
  stopSchedules();
}

/** Rows of `liveline routes`: methods, path, kind. */
export function listed() {
  const rows = [];
  for (const { path } of streams.values()) ArrayPrototypePush(rows, ["GET", path, "sse"]);
  for (const path of new SafeArrayIterator(socketPaths())) ArrayPrototypePush(rows, ["GET", path, "ws"]);
  for (const { method, path } of new SafeArrayIterator(allRoutes())) ArrayPrototypePush(rows, [method, path, "http"]);
  for (const row of new SafeArrayIterator(listedGraphQL())) ArrayPrototypePush(rows, row);
  for (const name of new SafeArrayIterator(isBlocking)) ArrayPrototypePush(rows, ["-", name, "fetch() returns a string"]);
  return rows;
}

function answer(event, next) {
  const exchange = event[kExchange];
  const { pathname } = targetOf(exchange.url);
  const socket = socketAt(pathname);
  if (socket !== undefined && isUpgrade(exchange)) return run(exchange, socket, () => answerSocket(exchange, socket));
  if (exchange.method === "GET") {
    const stream = streams.get(pathname);
    if (stream !== undefined) return run(exchange, { ...stream, method: "GET", handler: stream.customizer }, () => answerStream(exchange, stream));
  }
  const matched = matchRoute(pathname);
  if (matched !== null) return answerRoute(exchange, matched);
  if (isGraphQL(pathname)) return run(exchange, graphQLRoute(exchange, pathname), () => answerGraphQL(exchange, pathname));
  return otherwise(exchange, pathname, next);
}

const graphQLRoute = (exchange, path) => ({ method: exchange.method, path, handler: "GraphQL", script: { name: "GraphQL" } });

function answerRoute(exchange, { place, params }) {
  const { method } = exchange;
  const { handlers } = place;
  const route = handlers.get(method) ?? (method === "HEAD" ? handlers.get("GET") : undefined);
  if (route === undefined) return wrongMethod(exchange, place.path, namesOf(handlers));
  if (!hasBody(exchange)) {
    return run(exchange, route, () => call(route, contextOf(exchange, params, "httpRoute")));
  }
  return run(exchange, route, async () => call(route, await contextWithBody(exchange, params, "httpRoute")));
}

const call = (route, context) => route.script.resolve(route.handler, `${route.method} ${route.path}`)(context);

/** Runs what answers a request. Its errors become answers. */
function run(exchange, route, handle) {
  let result;
  try {
    result = handle();
    if (!isPromise(result)) return answerOf(exchange, route, result);
  } catch (error) {
    return failed(exchange, route, error);
  }
  return settled(exchange, route, result);
}

async function settled(exchange, route, result) {
  try {
    return answerOf(exchange, route, await result);
  } catch (error) {
    return failed(exchange, route, error);
  }
}

/** The path has handlers, but none for the method. */
function wrongMethod(exchange, path, methods) {
  if (streams.has(path) && !ArrayPrototypeIncludes(methods, "GET")) ArrayPrototypePush(methods, "GET");
  if (ArrayPrototypeIncludes(methods, "GET") && !ArrayPrototypeIncludes(methods, "HEAD")) ArrayPrototypePush(methods, "HEAD");
  ArrayPrototypePush(methods, "OPTIONS");
  const headers = { allow: ArrayPrototypeJoin(ArrayPrototypeSort(ArrayPrototypeMap(methods, (it) => it)), ", ") };
  if (exchange.method === "OPTIONS") return new Response(null, { status: 204, headers });
  return failure(exchange, 405, { headers });
}

/** Nothing is registered for the path. */
async function otherwise(exchange, pathname, next) {
  const { method } = exchange;
  if (method === "GET") {
    const stream = listedStream(pathname);
    if (stream !== undefined) return run(exchange, { ...stream, method, handler: "" }, () => answerStream(exchange, stream));
    const accepted = op_request_header(exchange.id, "accept") ?? "";
    if (StringPrototypeIncludes(accepted, "text/event-stream") && hasEnded(pathname)) return endedAnswer(exchange);
  }
  if (streams.has(pathname)) return wrongMethod(exchange, pathname, []);
  if (socketAt(pathname) !== undefined) {
    if (method !== "GET") return wrongMethod(exchange, pathname, ["GET"]);
    return failure(exchange, 426, { headers: { upgrade: "websocket" } });
  }
  if (next !== undefined) {
    const response = await next();
    if (!(response instanceof Response) || ResponsePrototypeGetStatus(response) !== 404) return response;
  }
  return failure(exchange, 404);
}
