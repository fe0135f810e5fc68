import { Writable } from "node:stream";
import winston from "winston";

export default async () => {
  const lines = [];
  const stream = new Writable({
    write(chunk, encoding, done) {
      lines.push(chunk.toString().trim());
      done();
    },
  });
  const { combine, json, printf, timestamp } = winston.format;
  const logger = winston.createLogger({
    level: "info",
    format: combine(timestamp(), json()),
    transports: [
      new winston.transports.Stream({ stream, format: printf(({ level, message, user }) => `${level}: ${message} ${user}`) }),
      new winston.transports.Console({ level: "error" }),
    ],
  });
  logger.info("hello", { user: "me" });
  logger.debug("not written");
  logger.child({ user: "you" }).warn("careful");
  await new Promise((resolve) => logger.on("finish", resolve).end());
  return { lines };
};
