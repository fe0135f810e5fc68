import { Hono } from "hono";
import { basicAuth } from "hono/basic-auth";
import { jwt, sign } from "hono/jwt";
import { streamText } from "hono/streaming";
import { cors } from "hono/cors";

const SECRET = "the secret of this test";
const app = new Hono();
app.use("/secret/*", basicAuth({ username: "me", password: "word" }));
app.get("/secret/page", (c) => c.text("for members"));
app.use("/api/*", cors(), jwt({ secret: SECRET, alg: "HS256" }));
app.get("/api/me", (c) => c.json({ sub: c.get("jwtPayload").sub }));
app.get("/users/:id", (c) => c.json({ id: c.req.param("id"), q: c.req.query("q") }));
app.post("/echo", async (c) => c.json(await c.req.json(), 201));
app.get("/stream", (c) =>
  streamText(c, async (stream) => {
    for (const word of ["one ", "two ", "three"]) await stream.write(word);
  }));
app.get("/token", async (c) => c.text(await sign({ sub: "me" }, SECRET, "HS256")));
app.onError((error, c) => error.getResponse?.() ?? c.text(error.message, 500));

export default (event) => app.fetch(event.request, process.env);
