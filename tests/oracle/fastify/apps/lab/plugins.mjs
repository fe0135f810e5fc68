import cors from "@fastify/cors";
import sensible from "@fastify/sensible";
import * as corsModule from "@fastify/cors";
import * as sensibleModule from "@fastify/sensible";
import { ask, boot } from "./show.mjs";

export const modules = async () => ({
  cors: [typeof cors, typeof corsModule.fastifyCors, corsModule.default === cors],
  sensible: [typeof sensible, typeof sensibleModule.fastifySensible, sensibleModule.default === sensible],
});

export const corsOptions = async () => ({
  hook: await boot((app) => app.register(cors, { hook: "nonsense" })),
  origin: await ask((app) => app.register(cors, { origin: 7 }), [{ url: "/", headers: { origin: "http://a" } }]),
  noPreflight: await ask((app) => app.register(cors, { preflight: false }), [{ method: "OPTIONS", url: "/", headers: { origin: "http://a", "access-control-request-method": "GET" } }]),
});

export const generators = async () => ({
  tree: await ask(async (app) => {
    function* numbers(to) {
      for (let n = 1; n <= to; n += 1) yield n;
    }
    async function* later(to) {
      yield* numbers(to);
    }
    app.decorate("numbers", numbers).decorate("later", later);
    app.get("/", async () => {
      const found = [...app.numbers(3)];
      for await (const n of app.later(2)) found.push(n);
      return found;
    });
  }, ["/"]),
});
