// The way of a request through an application: route, hooks, body, validation, handler, answer.

import { primordials } from "ext:core/mod.js";
import { nodeHeaders } from "ext:liveline/request.js";
import { codes } from "ext:liveline_fastify/errors.js";
import { runHooks, runPayloadHooks, runQuietly } from "ext:liveline_fastify/hooks.js";
import { parseBody } from "ext:liveline_fastify/parsers.js";
import { isThenable } from "ext:liveline_fastify/queue.js";
import { answered, followResult, kHeaders, sendError, STATUS_CODES } from "ext:liveline_fastify/reply.js";
import { kContext, kReply, kTransport } from "ext:liveline_fastify/request.js";
import { Router } from "ext:liveline_fastify/router.js";
import { validate } from "ext:liveline_fastify/schemas.js";
import { upgrade } from "ext:liveline_fastify/websocket.js";
import { clearTimeout, setTimeout } from "ext:liveline/timers.js";

const {
  FunctionPrototypeCall,
  JSONStringify,
  StringPrototypeIncludes,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  URIError,
} = primordials;

/** Answers a request of a transport. */
export function dispatch(app, transport) {
  const { router } = app;
  let { url } = transport;
  if (app.options.rewriteUrl) {
    const rewritten = FunctionPrototypeCall(app.options.rewriteUrl, app.root, rewritable(transport));
    if (typeof rewritten !== "string") {
      return failEarly(app, transport, new codes.FST_ERR_ROUTE_REWRITE_NOT_STR(url, typeof rewritten));
    }
    transport.originalUrl = url;
    transport.url = url = rewritten;
  }
  let end = StringPrototypeIndexOf(url, "?");
  if (app.options.useSemicolonDelimiter) {
    const semicolon = StringPrototypeIndexOf(url, ";");
    if (semicolon !== -1 && (end === -1 || semicolon < end)) end = semicolon;
  }
  const path = end === -1 ? url : StringPrototypeSlice(url, 0, end);
  const query = end === -1 ? "" : StringPrototypeSlice(url, end + 1);
  let found = null;
  try {
    found = router.lookup(transport.method, path, (name, strategy) =>
      Router.derive((header) => transport.header(header), () => rewritable(transport))(name, strategy));
    if (found === null && StringPrototypeIncludes(path, "%")) primordials.decodeURIComponent(path);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return refuse(app, transport, new codes.FST_ERR_BAD_URL(path), query);
  }
  if (found !== null && found.isTooLong) return refuse(app, transport, new codes.FST_ERR_MAX_PARAM_LENGTH(path), query);
  const isClosing = app.isClosing && app.options.return503OnClosing !== false;
  if (isClosing) {
    return transport.answer(503, [["content-type", "application/json"], ["connection", "close"]],
      JSONStringify({ error: "Service Unavailable", code: "FST_ERR_CLOSING", message: "Service Unavailable", statusCode: 503 }));
  }
  if (found === null) return notFound(app, transport, path, query);
  begin(app, transport, found.route, found.params, query);
}

/** What a function of the author's gets of a request that has no route yet. */
function rewritable(transport) {
  return {
    get raw() {
      return transport.webRequest();
    },
    method: transport.method,
    url: transport.url,
    get headers() {
      return nodeHeaders(transport.headerList());
    },
  };
}

function failEarly(app, transport, error) {
  const { request, reply } = make(app, transport, app.notFoundContextFor("/"), {}, "");
  reply.code(error.statusCode);
  void request;
  sendError(reply, error);
}

/** Answers a path that leads to no route because of what it is made of. */
function refuse(app, transport, error, query) {
  if (app.options.frameworkErrors) {
    const { request, reply } = make(app, transport, app.notFoundContextFor("/"), {}, query);
    return app.options.frameworkErrors(error, request, reply);
  }
  const { code, message, statusCode } = error;
  transport.answer(statusCode, [["content-type", "application/json"]],
    JSONStringify({ error: "Bad Request", code, message, statusCode }));
  transport.over();
}

function notFound(app, transport, path, query) {
  const context = app.notFoundContextFor(path);
  // Files of `public/` come where the application has nothing to say.
  if (context.isDefault && transport.fallThrough !== undefined) {
    return transport.fallThrough(() => begin(app, transport, context, {}, query));
  }
  begin(app, transport, context, {}, query);
}

/** Answers in place of a route with the handler of paths that have none. */
export function answerNotFound(context, request, reply) {
  request[kContext] = context;
  if (context.preHandler === null) return handle(context, request, reply);
  runHooks(context.preHandler, context.server, request, reply, (error) => {
    if (error) sendError(reply, error);
    else handle(context, request, reply);
  });
}

function make(app, transport, context, params, query) {
  const id = app.nextRequestId(transport, context.genReqId);
  const request = new context.Request(id, params, transport, query, context);
  const reply = new context.Reply(transport, request);
  request[kReply] = reply;
  transport.whenDone((error) => answered(reply, error));
  return { request, reply };
}

function begin(app, transport, context, params, query) {
  const { request, reply } = make(app, transport, context, params, query);
  request.ws = transport.isUpgrade;
  app.logController.incoming(request, reply);
  if (context.onRequestAbort !== null && transport.follow !== undefined) {
    transport.follow((isComplete) => {
      if (isComplete || transport.isDone) return;
      runQuietly(context.onRequestAbort, context.server, [request], (error) => request.log.error({ err: error }));
    });
  }
  if (context.handlerTimeout > 0) limit(context, request, reply);
  if (context.onRequest === null) parse(context, request, reply);
  else runHooks(context.onRequest, context.server, request, reply, (error) => {
    if (error) sendError(reply, error);
    else parse(context, request, reply);
  });
}

function limit(context, request, reply) {
  const timer = setTimeout(() => {
    if (reply.sent) return;
    sendError(reply, new codes.FST_ERR_HANDLER_TIMEOUT(context.handlerTimeout, context.route.url));
  }, context.handlerTimeout);
  request[kTransport].whenDone(() => clearTimeout(timer));
}

function parse(context, request, reply) {
  if (context.preParsing === null) return body(context, request, reply, undefined);
  const { raw } = request;
  runPayloadHooks(context.preParsing, context.server, request, reply, raw, (error, payload) => {
    if (error) return sendError(reply, error);
    if (reply.sent) return;
    body(context, request, reply, payload === raw ? undefined : payload);
  });
}

function body(context, request, reply, payload) {
  const { method } = request[kTransport];
  const goOn = (error, parsed) => {
    if (error) {
      // What has no route is not there, whatever is sent to it.
      if (context.isNotFound && error.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return beforeValidation(context, request, reply);
      if (error.code === "FST_ERR_CTP_BODY_TOO_LARGE") reply.header("connection", "close");
      return sendError(reply, error);
    }
    request.body = parsed;
    beforeValidation(context, request, reply);
  };
  if (context.bodyless.has(method) || context.isNotFound && !request[kTransport].hasBody) {
    return beforeValidation(context, request, reply);
  }
  const type = request.header("content-type");
  if (type === undefined) {
    const length = request.header("content-length");
    const isEmpty = request.header("transfer-encoding") === undefined && (length === undefined || length === "0");
    if (isEmpty) return beforeValidation(context, request, reply);
    return parseBody(context, request, "", payload, goOn);
  }
  if (method === "OPTIONS" && !request[kTransport].hasBody) return beforeValidation(context, request, reply);
  parseBody(context, request, type, payload, goOn);
}

function beforeValidation(context, request, reply) {
  if (context.preValidation === null) return check(context, request, reply);
  runHooks(context.preValidation, context.server, request, reply, (error) => {
    if (error) sendError(reply, error);
    else check(context, request, reply);
  });
}

function check(context, request, reply) {
  if (!context.hasValidators) return beforeHandler(context, request, reply);
  validate(context, request, (failure) => {
    if (failure === false) return beforeHandler(context, request, reply);
    if (context.attachValidation) {
      request.validationError = failure;
      return beforeHandler(context, request, reply);
    }
    if (reply.statusCode === 200) reply.code(failure.statusCode ?? 400);
    sendError(reply, failure);
  });
}

function beforeHandler(context, request, reply) {
  if (context.preHandler === null) return handle(context, request, reply);
  runHooks(context.preHandler, context.server, request, reply, (error) => {
    if (error) sendError(reply, error);
    else handle(context, request, reply);
  });
}

function handle(context, request, reply) {
  if (reply.sent) return;
  if (request[kTransport].isUpgrade && !context.isNotFound) return upgrade(context, request, reply);
  const { handler } = context;
  if (handler === null) {
    // A route of sockets alone is nothing for other requests.
    reply.code(404);
    return reply.send();
  }
  let result;
  try {
    result = FunctionPrototypeCall(handler, context.server, request, reply);
  } catch (error) {
    if (reply.sent) return reply.log.error({ err: error }, "the handler failed after its answer");
    return sendError(reply, error);
  }
  if (result === undefined) return;
  if (isThenable(result)) followResult(result, reply);
  else if (result !== reply && !reply.sent) reply.send(result);
}

export { kHeaders, STATUS_CODES };
