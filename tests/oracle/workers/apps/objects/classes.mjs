import { DurableObject } from "cloudflare:workers";

let constructed = 0;

export class Room extends DurableObject {
  visits = 0;

  constructor(ctx, env) {
    super(ctx, env);
    this.nameInConstructor = ctx.id.name;
    constructed += 1;
    this.number = constructed;
  }

  async fetch(request) {
    const url = new URL(request.url);
    this.visits += 1;
    switch (url.pathname) {
      case "/throw":
        throw new RangeError("thrown in fetch");
      case "/throw-text":
        throw "only text";
      case "/throw-own": {
        const error = new TypeError("with properties");
        error.code = "E_CODE";
        throw error;
      }
      case "/nothing":
        return undefined;
      case "/abort":
        this.ctx.abort(new Error("reset on purpose"));
        return new Response("not reached");
      case "/number":
        return Response.json({ number: this.number, visits: this.visits });
      case "/read":
        return new Response((await request.text()).toUpperCase(), { headers: { "x-length": request.headers.get("content-length") ?? "none" } });
      case "/pipe":
        return new Response(request.body, { headers: { "content-type": "text/plain" } });
      case "/stream": {
        const { readable, writable } = new TransformStream();
        const writer = writable.getWriter();
        const write = async () => {
          for (const piece of ["one ", "two ", "three"]) await writer.write(new TextEncoder().encode(piece));
          await writer.close();
        };
        this.ctx.waitUntil(write());
        return new Response(readable);
      }
      case "/redirect":
        return new Response(null, { status: 302, headers: { location: "/elsewhere" } });
      case "/status":
        return new Response("short and stout", { status: 418, statusText: "teapot", headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-one", "1"]] });
      default:
        return Response.json({
          url: request.url,
          method: request.method,
          headers: Object.fromEntries([...request.headers].filter(([name]) => name.startsWith("x-"))),
          body: await request.text(),
          id: { name: this.ctx.id.name, text: this.ctx.id.toString(), inConstructor: this.nameInConstructor },
        });
    }
  }

  whoAmI() {
    return { id: this.ctx.id.toString(), name: this.ctx.id.name, inConstructor: this.nameInConstructor };
  }

  count() {
    this.visits += 1;
    return this.visits;
  }
}

export class Other extends DurableObject {}

/** The older style: no base class. */
export class Plain {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  async fetch(request) {
    const value = ((await this.state.storage.get("n")) ?? 0) + 1;
    await this.state.storage.put("n", value);
    return Response.json({ value, name: this.state.id.name, bindings: Object.keys(this.env).sort(), path: new URL(request.url).pathname });
  }

  method() {
    return "not reachable";
  }
}

let attempts = 0;

export class Broken extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    attempts += 1;
    if (attempts % 2 === 1) throw new Error("the constructor failed");
  }

  hello() {
    return "constructed";
  }

  fetch() {
    return new Response("constructed");
  }
}
