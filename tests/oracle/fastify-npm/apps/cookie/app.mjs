import cookie from "@fastify/cookie";

export default async function (fastify, opts) {
  fastify.register(cookie, { secret: "a-secret-of-cookies" });
  fastify.get("/set", (request, reply) => reply
    .setCookie("plain", "a b;c", { path: "/", httpOnly: true, sameSite: "lax" })
    .cookie("signed", "value", { signed: true, maxAge: 60 })
    .clearCookie("old", { path: "/" })
    .send({ ok: true }));
  fastify.get("/get", async (request, reply) => ({
    cookies: { ...request.cookies },
    signed: request.cookies.signed === undefined ? null : request.unsignCookie(request.cookies.signed),
    bad: reply.unsignCookie("value.forged"),
    parsed: { ...fastify.parseCookie("x=1; y=%20") },
    signature: fastify.signCookie("v"),
  }));
}
