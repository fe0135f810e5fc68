import Koa from "koa";

const app = new Koa();
app.use(async (context, next) => {
  await next();
  context.set("X-Layers", "2");
});
app.use((context) => {
  context.cookies.set("seen", "1");
  context.body = { path: context.path, q: context.query };
});

export const nodeHandler = app.callback();
