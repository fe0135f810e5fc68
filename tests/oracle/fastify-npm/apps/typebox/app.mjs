import { TypeBoxValidatorCompiler } from "@fastify/type-provider-typebox";
import { Type } from "typebox";

export default async function (fastify, opts) {
  const typed = fastify.withTypeProvider();
  typed.post("/", {
    schema: {
      body: Type.Object({ name: Type.String({ minLength: 2 }), age: Type.Optional(Type.Integer({ minimum: 0 })) }),
      response: { 200: Type.Object({ name: Type.String(), kind: Type.Union([Type.Literal("a"), Type.Literal("b")]) }) },
    },
  }, async (request) => ({ name: request.body.name, kind: "a", dropped: 1 }));
  fastify.register(async (own) => {
    own.setValidatorCompiler(TypeBoxValidatorCompiler);
    own.get("/", { schema: { querystring: Type.Object({ n: Type.Number() }) } }, async (request) => ({ n: request.query.n, type: typeof request.query.n }));
  }, { prefix: "/own" });
}
