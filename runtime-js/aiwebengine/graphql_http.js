// GraphQL over HTTP: queries and mutations as JSON, subscriptions as server-sent events, and the streams of
// subscriptions themselves.

import { op_log_error, op_request_header } from "ext:core/ops";
import { setTimeout } from "ext:liveline/timers.js";
import {
  ArrayPrototypePush,
  JSONParse,
  JSONStringify,
  PromisePrototypeCatch,
  PromisePrototypeThen,
  ReadableStream,
  ReadableStreamDefaultControllerPrototypeClose,
  ReadableStreamDefaultControllerPrototypeEnqueue,
  Response,
  SafeArrayIterator,
  StringPrototypeIncludes,
  SymbolAsyncIterator,
} from "ext:liveline/primordials.js";
import { failure } from "ext:liveline_aiwebengine/answers.js";
import { conflicts, fields, library, subscriptionNamed } from "ext:liveline_aiwebengine/graphql_registry.js";
import { answerGraphQLSocket } from "ext:liveline_aiwebengine/graphql_socket.js";
import { PAGE } from "ext:liveline_aiwebengine/graphql_page.js";
import { targetOf } from "ext:liveline_aiwebengine/registry.js";
import { bytesOf, contextOf, contextWithBody } from "ext:liveline_aiwebengine/request.js";
import { isUpgrade } from "ext:liveline_aiwebengine/sockets.js";
import { follow, pathOfSubscription, subscriptionOf } from "ext:liveline_aiwebengine/streams.js";

const PATHS = ["/graphql", "/graphql/sse", "/graphql/stream", "/graphql/ws"];
/** Between two comments on an idle stream, in milliseconds. */
const KEEP_ALIVE = 15_000;

/** Whether GraphQL answers a path. */
export function isGraphQL(pathname) {
  if (fields.length === 0) return false;
  for (const path of new SafeArrayIterator(PATHS)) if (path === pathname) return true;
  return subscriptionOf(pathname) !== null;
}

export function graphQLProblems() {
  if (conflicts.length > 0 || fields.length === 0) return conflicts;
  return library().problems();
}

export function listedGraphQL() {
  if (fields.length === 0) return [];
  const rows = [["GET, POST", "/graphql", "http"], ["GET, POST", "/graphql/sse", "sse"], ["GET", "/graphql/ws", "ws"]];
  for (const { root, name } of new SafeArrayIterator(fields)) {
    if (root === "Subscription") ArrayPrototypePush(rows, ["GET", pathOfSubscription(name), "sse"]);
  }
  return rows;
}

/** Answers a request for GraphQL. */
export async function answerGraphQL(exchange, pathname) {
  if (isUpgrade(exchange) && (pathname === "/graphql/ws" || pathname === "/graphql")) return answerGraphQLSocket(exchange);
  const name = subscriptionOf(pathname);
  if (name !== null) return answerStreamOf(exchange, name);
  if (exchange.method !== "GET" && exchange.method !== "POST") {
    return failure(exchange, 405, { headers: { allow: "GET, POST" } });
  }
  if (pathname === "/graphql/ws") return failure(exchange, 400, { message: "This path is for WebSockets with the protocol graphql-transport-ws" });
  const { query } = targetOf(exchange.url);
  const isEvents = pathname !== "/graphql";
  if (exchange.method === "GET" && query === "" && !isEvents) {
    return new Response(PAGE, { headers: { "content-type": "text/html; charset=UTF-8" } });
  }
  const context = await contextWithBody(exchange, undefined, "graphql");
  const parameters = context.query;
  const request = exchange.method === "GET" ? ofQuery(parameters) : ofBody(context.body);
  const isDistinct = pathname === "/graphql/stream" || parameters.protocol === "distinct";
  if (request === null) return refused(400, [{ message: "The body is not JSON with a `query`." }]);
  const prepared = library().prepare(request);
  if (prepared.errors !== undefined) return isDistinct ? distinct([{ errors: prepared.errors }]) : refused(400, prepared.errors);
  const { document, kind } = prepared;
  if (kind === "mutation" && exchange.method === "GET") {
    return refused(405, [{ message: "A mutation comes by POST." }], { allow: "POST" });
  }
  if (kind !== "subscription") {
    const result = await library().execute(document, request, context);
    if (isDistinct) return distinct([result]);
    return isEvents ? eventsOf([result]) : json(result);
  }
  const accepted = op_request_header(exchange.id, "accept") ?? "";
  if (!isEvents && !StringPrototypeIncludes(accepted, "text/event-stream")) {
    return refused(400, [{ message: "A subscription is sent to /graphql/sse, or by a WebSocket to /graphql/ws." }]);
  }
  const results = await library().subscribe(document, request, context);
  if (typeof results[SymbolAsyncIterator] !== "function") {
    const result = library().shownResult(results);
    return isDistinct ? distinct([result]) : refused(400, result.errors);
  }
  return stream(results, isDistinct);
}

/** The messages of a subscription as they were sent. */
function answerStreamOf(exchange, name) {
  if (subscriptionNamed(name) === undefined) return failure(exchange, 404, { message: `No subscription is named '${name}'` });
  if (exchange.method !== "GET") return failure(exchange, 405, { headers: { allow: "GET" } });
  const { query } = contextOf(exchange, undefined, "graphqlSubscription");
  return follow(exchange, pathOfSubscription(name), query);
}

function ofQuery({ query, variables, operationName }) {
  try {
    return { query, variables: variables === undefined ? undefined : JSONParse(variables), operationName };
  } catch {
    return null;
  }
}

function ofBody(text) {
  try {
    const request = JSONParse(text);
    return request !== null && typeof request === "object" ? request : null;
  } catch {
    return null;
  }
}

const json = (result, status = 200, headers = undefined) =>
  new Response(JSONStringify(result), { status, headers: { "content-type": "application/json", ...headers } });

const refused = (status, errors, headers = undefined) => json({ errors }, status, headers);

const EVENTS = { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" };

const eventOf = (result, isDistinct) => `${isDistinct ? "event: next\n" : ""}data: ${JSONStringify(result)}\n\n`;
/** Browsers pass on no event without data. */
const END = "event: complete\ndata: \n\n";

function eventsOf(results) {
  let text = "";
  for (const result of new SafeArrayIterator(results)) text += eventOf(result, false);
  return new Response(text, { headers: EVENTS });
}

function distinct(results) {
  let text = "";
  for (const result of new SafeArrayIterator(results)) text += eventOf(result, true);
  return new Response(text + END, { headers: EVENTS });
}

/** The results of a subscription, as long as the client follows them. */
function stream(results, isDistinct) {
  let isOver = false;
  const body = new ReadableStream({
    __proto__: null,
    start(controller) {
      const send = (text) => {
        if (!isOver) ReadableStreamDefaultControllerPrototypeEnqueue(controller, bytesOf(text));
      };
      send(":\n\n");
      const beat = () => {
        if (isOver) return;
        send(":\n\n");
        setTimeout(beat, KEEP_ALIVE);
      };
      setTimeout(beat, KEEP_ALIVE);
      const close = () => {
        if (isOver) return;
        send(isDistinct ? END : "");
        isOver = true;
        ReadableStreamDefaultControllerPrototypeClose(controller);
      };
      const pump = async () => {
        while (!isOver) {
          const { value, done } = await results.next();
          if (done) break;
          send(eventOf(library().shownResult(value), isDistinct));
        }
      };
      PromisePrototypeThen(pump(), close, (error) => {
        op_log_error("a subscription of GraphQL", error);
        close();
      });
    },
    cancel() {
      isOver = true;
      PromisePrototypeCatch(results.return(), () => {});
    },
  });
  return new Response(body, { headers: EVENTS });
}
