import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import cookieParser from "cookie-parser";
import express, { Router } from "express";

const app = express();
/** What the requests of `/wait` and `/events` have seen at their ends. */
const ends = [];

app.use((req, res, next) => {
  res.set("X-First", "1").cookie("visit", "1");
  next();
});
app.use(express.json({ limit: "2mb" }), cookieParser());

const users = Router();
users.get("/:id", (req, res) => res.json({ id: req.params.id, base: req.baseUrl, url: req.url, original: req.originalUrl }));
app.use("/users", users);

app.get("/request", (req, res) => {
  const { method, url, httpVersion, ip, protocol, hostname, cookies, socket } = req;
  const address = socket.remoteAddress;
  res.json({ method, url, httpVersion, ip, protocol, hostname, cookies, address, agent: req.get("X-Agent"), raw: req.rawHeaders.length > 0 });
});
app.post("/echo", (req, res) => res.status(201).json(req.body));
app.post("/count", async (req, res) => {
  let size = 0;
  for await (const chunk of req) size += chunk.length;
  res.json({ size });
});
app.get("/old", (req, res) => res.redirect(301, `${req.baseUrl}/users/1`));
app.get("/cookies", (req, res) => res.cookie("a", "1").cookie("b", "2", { httpOnly: true }).send("set"));
app.get("/empty", (req, res) => res.sendStatus(204));
app.get("/tagged", (req, res) => res.send("the same text each time"));
app.get("/bytes", (req, res) => res.type("bin").send(Buffer.from([0, 255, 128])));
app.get("/pieces", async (req, res) => {
  res.writeHead(200, { "Content-Type": "text/plain" });
  for (const piece of ["one ", "two ", "three"]) {
    res.write(piece);
    await sleep(1);
  }
  res.end();
});
app.get("/big", (req, res) => {
  const size = Number(req.query.size);
  let left = size, drains = 0;
  const block = Buffer.alloc(65536, "x");
  res.set("Content-Length", String(size));
  const write = () => {
    while (left > 0) {
      const part = block.subarray(0, Math.min(left, block.length));
      left -= part.length;
      if (!res.write(part)) {
        drains += 1;
        return res.once("drain", write);
      }
    }
    res.end();
    ends.push(drains > 1 ? "big with back-pressure" : "big at once");
  };
  write();
});
app.get("/file", (req, res) => createReadStream(new URL(import.meta.url)).pipe(res));
app.get("/pipe", (req, res) => Readable.from(["a", "b"]).pipe(res));
app.get("/events", (req, res) => {
  res.set("Content-Type", "text/event-stream").flushHeaders();
  let number = 0;
  const timer = setInterval(() => res.write(`data: ${++number}\n\n`), 5);
  res.on("close", () => {
    clearInterval(timer);
    ends.push("events");
  });
});
app.get("/wait", (req, res) => {
  req.on("close", () => ends.push("req"));
  res.on("close", () => ends.push("res"));
});
app.get("/ends", (req, res) => res.json(ends));
app.get("/fails", () => {
  throw new Error("an error of the application");
});
app.get("/rejects", async () => {
  await sleep(1);
  throw new Error("a late error of the application");
});
app.get("/handled", (req, res, next) => next(new Error("handled")));
app.get("/breaks", (req, res) => {
  res.write("a beginning");
  setTimeout(() => res.destroy(new Error("in the middle")), 5);
});
app.get("/status", (req, res, next) => next(Object.assign(new Error("no"), { status: 403 })));
app.get("/late", (req, res) => {
  res.once("finish", () => ends.push("finish"));
  res.send("sent");
});
app.use((error, req, res, next) => (error.message === "handled" ? res.status(418).send("by its own handler") : next(error)));

export default app;
