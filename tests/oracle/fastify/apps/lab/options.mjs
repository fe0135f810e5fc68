import Fastify, { fastify as named, errorCodes } from "fastify";
import * as all from "fastify";
import { ask, boot, shown } from "./show.mjs";

const seen = async (request) => ({ params: request.params, query: request.query, url: request.url, ip: request.ip, host: request.host, protocol: request.protocol, id: request.id });
const JSON_TYPE = { "content-type": "application/json" };

export const module = async () => ({
  named: named === Fastify,
  names: ["default", "errorCodes", "fastify"].filter((name) => !(name in all)),
  codes: Object.keys(errorCodes).length > 50,
  error: shown(new errorCodes.FST_ERR_NOT_FOUND()),
  parameters: shown(new errorCodes.FST_ERR_DEC_ALREADY_PRESENT("x")),
});

export const router = async () => ({
  insensitive: await ask((app) => app.get("/Path/:Id", seen), ["/path/A", "/PATH/b"], { routerOptions: { caseSensitive: false } }),
  trailing: await ask((app) => app.get("/a", seen), ["/a", "/a/"], { routerOptions: { ignoreTrailingSlash: true } }),
  slashes: await ask((app) => app.get("/a/b", seen), ["//a//b", "/a///b"], { routerOptions: { ignoreDuplicateSlashes: true } }),
  long: await ask((app) => app.get("/:id", seen), ["/12345", "/123456"], { routerOptions: { maxParamLength: 5 } }),
  semicolon: await ask((app) => app.get("/a", seen), ["/a;b=1"], { routerOptions: { useSemicolonDelimiter: true } }),
  queries: await ask((app) => app.get("/a", seen), ["/a?b=1"], { routerOptions: { querystringParser: (text) => ({ parsed: text }) } }),
  rewrite: await ask((app) => app.get("/b", seen), ["/a"], { rewriteUrl: (request) => request.url.replace("/a", "/b") }),
  badUrl: await ask((app) => app.get("/:id", seen), ["/%zz"], { frameworkErrors: (error, request, reply) => void reply.code(400).send({ code: error.code, framework: true }) }),
  defaultRoute: await ask((app) => app.get("/a", seen), ["/b"], {}),
});

export const ids = async () => ({
  own: await ask((app) => app.get("/", seen), ["/"], { genReqId: () => "generated" }),
  header: await ask((app) => app.get("/", async (request) => request.id), [{ url: "/", headers: { "x-request-id": "given" } }], { requestIdHeader: "x-request-id" }),
  ignored: await ask((app) => app.get("/", async (request) => request.id !== "given"), [{ url: "/", headers: { "request-id": "given" } }]),
});

export const proxies = async () => {
  const headers = { "x-forwarded-for": "1.2.3.4, 5.6.7.8", "x-forwarded-host": "outer.example", "x-forwarded-proto": "https" };
  const tree = (app) => app.get("/", async (request) => ({ ip: request.ip, ips: request.ips, host: request.host, protocol: request.protocol, hostname: request.hostname }));
  return {
    all: await ask(tree, [{ url: "/", headers }], { trustProxy: true }),
    count: await ask(tree, [{ url: "/", headers }], { trustProxy: 1 }),
    none: await ask(tree, [{ url: "/", headers }]),
    address: await ask(tree, [{ url: "/", headers, remoteAddress: "9.9.9.9" }], { trustProxy: "9.9.9.9" }),
    check: await ask(tree, [{ url: "/", headers }], { trustProxy: (address, hop) => hop < 1 }),
  };
};

export const bodies = async () => ({
  limit: await ask((app) => app.post("/", async () => "x"), [{ method: "POST", url: "/", headers: JSON_TYPE, payload: '"12345"' }], { bodyLimit: 4 }),
  proto: await ask((app) => app.post("/", async (request) => request.body), [{ method: "POST", url: "/", headers: JSON_TYPE, payload: '{"a":1,"__proto__":{"b":1}}' }], { onProtoPoisoning: "remove" }),
  ignored: await ask((app) => app.post("/", async (request) => Object.keys(request.body)), [{ method: "POST", url: "/", headers: JSON_TYPE, payload: '{"a":1,"constructor":{"prototype":{"b":1}}}' }], { onConstructorPoisoning: "ignore" }),
  head: await ask((app) => app.get("/", async () => "x"), [{ method: "HEAD", url: "/" }], { exposeHeadRoutes: false }),
  nullSchema: await ask((app) => app.post("/", async (request) => ({ body: request.body })), [{ method: "POST", url: "/" }]),
});

export const validators = async () => {
  const tree = (app) => app.post("/", { schema: { body: { type: "object", properties: { n: { type: "integer" }, only: { type: "string" } }, additionalProperties: false } } }, async (request) => request.body);
  const post = (payload) => ({ method: "POST", url: "/", payload });
  return {
    usual: await ask(tree, [post({ n: "1", extra: 1 })]),
    strict: await ask(tree, [post({ n: "1" }), post({ n: 1, extra: 1 })], { ajv: { customOptions: { coerceTypes: false, removeAdditional: false } } }),
    allErrors: await ask((app) => app.post("/", { schema: { body: { type: "object", required: ["a", "b"] } } }, async () => "x"), [post({})], { ajv: { customOptions: { allErrors: true } } }),
    formatter: await ask(tree, [post({ n: "x" })], { schemaErrorFormatter: (errors, part) => new Error(`${part}: ${errors.length}`) }),
    returns: await ask((app) => app.get("/", async (request, reply) => {
      return reply.code(201).header("x-own", "1").send({ a: 1 });
    }), ["/"]),
  };
};

export const logging = async () => {
  const lines = [];
  const stream = { write: (line) => void lines.push(JSON.parse(line)) };
  const answers = await ask((app) => {
    app.get("/", async (request) => {
      request.log.info({ extra: 1 }, "hello %s", "world");
      request.log.child({ part: "child" }).warn("from the child");
      app.log.error(new Error("logged"), "with an error");
      request.log.debug("not written");
      return "x";
    });
    app.get("/quiet", { logLevel: "error" }, async (request) => {
      request.log.info("dropped");
      return "x";
    });
    app.get("/fails", async () => Promise.reject(new Error("boom")));
  }, ["/", "/quiet", "/fails", "/nowhere"], { logger: { level: "info", stream } });
  const shape = ({ level, msg, reqId, req, res, err, extra, part, responseTime }) => ({
    level,
    msg,
    id: typeof reqId,
    req: req && { method: req.method, url: req.url },
    res,
    err: err && { type: err.type, message: err.message },
    extra,
    part,
    time: typeof responseTime,
  });
  return { statuses: answers.map(({ statusCode }) => statusCode), lines: lines.map(shape) };
};

export const loggers = async () => {
  const lines = [];
  const write = (level) => (...words) => void lines.push([level, typeof words[0] === "object" ? Object.keys(words[0]).sort().join() : words[0], words[1]]);
  const logger = { fatal: write("fatal"), error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug"), trace: write("trace"), child: () => logger };
  const statuses = (await ask((app) => app.get("/", async () => "x"), ["/"], { loggerInstance: logger })).map((it) => it.statusCode);
  return {
    lines,
    statuses,
    both: await boot(() => {}, { logger: logger, loggerInstance: logger }),
    without: await boot((app) => app.log.info("silent"), { logger: false }),
    bad: await boot(() => {}, { loggerInstance: {} }),
    options: await boot(() => {}, "text"),
    quiet: (await ask((app) => app.get("/", async () => "x"), ["/"], { logger: { level: "silent" }, disableRequestLogging: true })).length,
  };
};

export const listening = async () => {
  const app = Fastify();
  app.get("/", async () => "x");
  const config = app.initialConfig;
  return {
    config: { bodyLimit: config.bodyLimit, caseSensitive: config.routerOptions?.caseSensitive ?? config.caseSensitive, pluginTimeout: config.pluginTimeout, frozen: Object.isFrozen(config) },
    addresses: app.addresses(),
    listening: app.server?.listening ?? false,
    version: app.version.split(".")[0],
    kinds: ["register", "after", "ready", "close", "inject", "listen", "route", "decorate", "addHook", "addSchema", "setErrorHandler", "setNotFoundHandler", "printRoutes", "printPlugins", "addContentTypeParser", "setSchemaController", "setGenReqId", "setChildLoggerFactory", "withTypeProvider", "errorHandler", "routing"].filter((name) => typeof app[name] !== "function"),
  };
};

export const printing = async () => {
  const app = Fastify();
  app.get("/test", async () => "x");
  app.get("/test/hello", async () => "x");
  app.post("/test", async () => "x");
  app.get("/test/:id", async () => "x");
  app.register(async function inner(child) {
    child.get("/deep/*", async () => "x");
  }, { prefix: "/other" });
  await app.ready();
  const printed = { routes: app.printRoutes(), plugins: typeof app.printPlugins() };
  await app.close();
  return printed;
};
