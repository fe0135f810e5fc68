// What loggers write to their stream, by the options of an application.

import Fastify from "fastify";

const ERROR = Object.assign(new RangeError("wrong"), { code: "E_CODE", stack: "RangeError: wrong\n    at place" });

/** The options of each case, and what it logs besides a few usual lines. */
const CASES = {
  plain: [{}, (log) => log.info({ a: 1, err: ERROR }, "with %s and %d", "text", 2)],
  level: [{ level: "warn" }],
  disabled: [{ enabled: false }],
  named: [{ name: "shop" }],
  noBase: [{ base: null, name: "shop" }],
  undefinedBase: [{ base: undefined, name: "shop" }],
  base: [{ base: { service: "shop", pid: 1 } }],
  noTime: [{ timestamp: false }],
  timeText: [{ timestamp: () => ',"at":"now"' }],
  levelFormatter: [{ formatters: { level: (label, number) => ({ severity: label.toUpperCase(), number }) } }],
  bindingsFormatter: [{ formatters: { bindings: (all) => ({ keys: Object.keys(all).join() }) } }],
  noObject: [{ formatters: { log: () => undefined } }],
  logFormatter: [{ formatters: { log: (object) => ({ ...object, formatted: true }) } }],
  customLevels: [{ customLevels: { http: 35, audit: 70 }, level: "http" }, (log) => (log.http("a request"), log.audit({ who: "ada" }, "done"))],
  ownLevels: [{ customLevels: { low: 1, high: 2, info: 3, error: 4, debug: 1, fatal: 9, warn: 5, trace: 1 }, useOnlyCustomLevels: true, level: "high" }, (log) => (log.low("no"), log.high("yes"))],
  messageKey: [{ messageKey: "message" }],
  errorKey: [{ errorKey: "error" }],
  nestedKey: [{ nestedKey: "payload" }],
  mixin: [{ mixin: (object, level) => ({ mixed: Object.keys(object).join(), at: level }) }],
  hooks: [{ hooks: { logMethod(args, method, level) { method.apply(this, typeof args[0] === "string" ? [`${level}: ${args[0]}`, ...args.slice(1)] : args); } } }],
  prefix: [{ msgPrefix: "[shop] " }],
  serializers: [{ serializers: { user: (user) => user.name, req: (request) => request.method } }, (log) => log.info({ user: { name: "ada", password: "x" } }, "user")],
  redact: [{ redact: { paths: ["user.password", "a.*"], remove: true } }, (log) => log.info({ user: { name: "ada", password: "x" }, a: { b: 1 } }, "user")],
  children: [{ formatters: { bindings: (all) => ({ ...all, seen: true }) } }, (log) => {
    const child = log.child({ part: "one" }, { level: "debug", msgPrefix: "<1> ", serializers: { n: (n) => n + 1 } });
    child.debug({ n: 1 }, "in the child");
    child.child({ deeper: true }, { customLevels: { loud: 99 } }).loud("deeper");
  }],
};

async function run([options, more]) {
  const lines = [];
  const stream = { write: (line) => lines.push(line) };
  const app = Fastify({ logger: { ...options, stream } });
  const { log } = app;
  log.debug("debug");
  log.info("info");
  log.warn({ key: "value" }, "warn");
  log.error(ERROR);
  log.error(ERROR, "said");
  log.error({ err: ERROR, more: 1 });
  log.error({ error: ERROR }, "under another key");
  log.info({ only: "an object" });
  log.info("%s %j %%", "text", { a: 1 }, "more");
  log.info({ n: 1n, f() {}, u: undefined, d: new Date(0) }, "values");
  const circle = { about: "circle" };
  log.info({ deep: { circle: Object.assign(circle, { circle }), twice: [circle.about, circle.about] } }, "a circle %d", 1n);
  more?.(log);
  app.get("/", async (request) => {
    request.log.info({ own: 1 }, "in a handler");
    return { id: request.id };
  });
  await app.inject({ url: "/", headers: { host: "place.test" } });
  await app.close();
  const hidden = { time: "number", pid: "number", hostname: "string", responseTime: "number" };
  const shown = lines.map((line) => {
    const record = JSON.parse(line);
    for (const part of [record, record.payload ?? {}]) {
      for (const [name, type] of Object.entries(hidden)) if (typeof part[name] === type && part[name] !== 1) part[name] = type;
    }
    return [line.endsWith("\n"), Object.keys(record), record];
  });
  return { level: log.level, value: log.levelVal, enabled: log.isLevelEnabled("info"), bindings: Object.keys(log.bindings()), labels: log.levels.labels, lines: shown };
}

export default async function (fastify, opts) {
  fastify.get("/:name", async (request) => {
    try {
      return await run(CASES[request.params.name]);
    } catch (error) {
      return { threw: error.message };
    }
  });
}
