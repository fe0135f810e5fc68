import { Readable } from "node:stream";
import Koa from "koa";

const app = new Koa();
app.silent = true;
app.use(async (context, next) => {
  await next();
  context.set("X-Layers", "2");
});
app.use((context) => {
  if (context.path === "/fails") context.throw(409, "a conflict");
  if (context.path === "/stream") return void (context.body = Readable.from(["a", "b"]));
  if (context.path === "/nothing") return;
  context.cookies.set("seen", "1");
  context.body = { path: context.path, ip: context.ip, method: context.method };
});

export const nodeHandler = app.callback();
