import { DurableObject, RpcTarget } from "cloudflare:workers";
import { show } from "./shared/show.mjs";

class OwnError extends Error {
  name = "OwnError";
}

class Plain {
  field = 1;
}

export class Counter extends RpcTarget {
  #value = 0;
  ownField = "own";

  constructor(log = []) {
    super();
    this.log = log;
  }
  get value() {
    return this.#value;
  }
  add(by = 1) {
    this.#value += by;
    return this.#value;
  }
  child() {
    return new Counter(this.log);
  }
  fail() {
    throw new RangeError("the counter failed");
  }
  [Symbol.dispose]() {
    this.log.push(`disposed at ${this.#value}`);
  }
}

export class Callee extends DurableObject {
  field = "an instance's field";
  log = [];
  #secret = "private";

  get accessor() {
    return "from an accessor";
  }
  get nested() {
    return { deep: { value: 5, method: () => "a method of a property" } };
  }
  echo(...given) {
    return given.length === 1 ? given[0] : given;
  }
  shown(...given) {
    return show(given);
  }
  nothing() {}
  async later(value) {
    await scheduler.wait(1);
    return value;
  }
  #hidden() {
    return this.#secret;
  }
  push(value) {
    this.log.push(value);
    return this.log.length;
  }
  async slowPush(value) {
    this.log.push(`begin ${value}`);
    await scheduler.wait(5);
    this.log.push(`end ${value}`);
  }
  takeLog() {
    const { log } = this;
    this.log = [];
    return log;
  }
  throwError(kind) {
    switch (kind) {
      case "type":
        throw new TypeError("a type error");
      case "own":
        throw Object.assign(new OwnError("an own error"), { code: 42, detail: { a: 1 } });
      case "cause":
        throw new Error("outer", { cause: new RangeError("inner") });
      case "text":
        throw "text";
      case "object":
        throw { a: 1 };
      case "undefined":
        throw undefined;
      case "aggregate":
        throw new AggregateError([new Error("one")], "many");
      default:
        throw new DOMException("a DOM exception", "AbortError");
    }
  }
  async rejectLater() {
    await scheduler.wait(1);
    throw new SyntaxError("rejected later");
  }
  returnOdd(kind) {
    switch (kind) {
      case "instance":
        return new Plain();
      case "symbol":
        return Symbol("x");
      case "env":
        return this.env;
      case "this":
        return this;
      case "nestedInstance":
        return { inside: new Plain() };
      default:
        return new WeakMap();
    }
  }
  adder(by) {
    let total = 0;
    return (more = 0) => (total += by + more);
  }
  functions() {
    return { double: (x) => 2 * x, text: "t", list: [(x) => x + 1] };
  }
  async callBack(callback, ...given) {
    return callback(...given);
  }
  async callBackMethods(target) {
    const first = await target.add(5);
    return [first, await target.value];
  }
  async callBackThrows(callback) {
    try {
      return await callback();
    } catch (error) {
      return { name: error.name, message: error.message };
    }
  }
  keep(callback) {
    this.kept?.[Symbol.dispose]?.();
    this.kept = callback.dup();
  }
  async useKept(value) {
    return this.kept(value);
  }
  counter() {
    return new Counter(this.log);
  }
  counters() {
    return { one: new Counter(this.log), two: new Counter(this.log) };
  }
  stream(count) {
    let sent = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (sent === count) return controller.close();
        sent += 1;
        controller.enqueue(new TextEncoder().encode(`piece ${sent};`));
      },
    });
  }
  failingStream() {
    let sent = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        sent += 1;
        if (sent > 1) controller.error(new RangeError("the stream failed"));
        else controller.enqueue(new Uint8Array([65]));
      },
    });
  }
  async readStream(stream) {
    return new Response(stream).text();
  }
  async writeStream(writable) {
    const writer = writable.getWriter();
    await writer.write(new TextEncoder().encode("written by the object"));
    await writer.close();
  }
  async request(request) {
    return { method: request.method, url: request.url, header: request.headers.get("x-a"), body: await request.text() };
  }
  response() {
    return new Response("a response by RPC", { status: 201, headers: { "x-a": "1" } });
  }
  headers() {
    return new Headers({ "x-b": "2" });
  }
  then_() {
    return "not a promise";
  }
  fetch() {
    return new Response("fetched");
  }
  alarm() {}
  webSocketMessage() {}
}
Callee.prototype.property = "of the prototype";
