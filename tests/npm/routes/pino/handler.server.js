import { Writable } from "node:stream";
import pino from "pino";

export default async () => {
  const lines = [];
  const stream = new Writable({
    write(chunk, encoding, done) {
      lines.push(JSON.parse(chunk));
      done();
    },
  });
  const logger = pino({ base: null, timestamp: false, redact: ["password"] }, stream);
  logger.child({ request: 1 }).info({ password: "x" }, "hello %s", "you");
  logger.debug("not written");
  logger.error(new Error("on purpose"));
  pino({ level: "warn" }).info("to the standard output, below its level");
  return { lines: lines.map(({ level, msg, request, password }) => ({ level, msg, request, password })) };
};
