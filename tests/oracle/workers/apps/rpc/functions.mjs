import { RpcTarget } from "cloudflare:workers";
import { attempt, exactly } from "./shared/show.mjs";

class Target extends RpcTarget {
  total = 0;
  add(by) {
    this.total += by;
    return this.total;
  }
  get value() {
    return `value ${this.total}`;
  }
}

export const functions = {
  async returned({ stub }) {
    using add = await stub.adder(10);
    const first = await add();
    const second = await add(5);
    using several = await stub.functions();
    return { type: typeof add, first, second, double: await several.double(4), text: several.text, inList: await several.list[0](1), direct: await stub.adder(3)(4) };
  },

  async callbacks({ stub }) {
    const seen = [];
    return {
      value: await stub.callBack((a, b) => (seen.push(a), a + b), 1, 2),
      seen,
      asynchronous: await stub.callBack(async (x) => (await scheduler.wait(1), x * 2), 21),
      throws: await stub.callBackThrows(() => { throw new TypeError("from the callback"); }),
      target: await stub.callBackMethods(new Target()),
      nested: await stub.callBack((f) => f, 5),
      passedBack: await exactly(async () => (await stub.echo((x) => x + 1))(1)),
    };
  },

  async kept({ stub }) {
    await stub.keep((x) => `kept ${x}`);
    return exactly(() => stub.useKept(1));
  },

  async targets({ stub }) {
    using counter = await stub.counter();
    const result = { added: await counter.add(), again: await counter.add(4), value: await counter.value, error: await exactly(() => counter.fail()), missing: await exactly(() => counter.missing()), own: await attempt(() => counter.ownField) };
    using child = await counter.child();
    result.child = await child.add(100);
    result.parent = await counter.value;
    using both = await stub.counters();
    result.both = [await both.one.add(1), await both.two.add(2)];
    result.constructor = counter.constructor.name;
    return result;
  },

  async pipelined({ stub }) {
    return {
      method: await stub.counter().add(7),
      chain: await stub.counter().child().child().add(3),
      property: await stub.counter().value,
      failing: await exactly(() => stub.counter().fail()),
      ofPlain: await exactly(() => stub.echo({ a: { b: 5 } }).a.b),
      missing: await attempt(() => stub.echo({ a: 1 }).nothing),
      ofFailure: await exactly(() => stub.throwError("type").more.deeper()),
    };
  },

  async disposed({ stub }) {
    const counter = await stub.counter();
    await counter.add(2);
    counter[Symbol.dispose]();
    const after = await attempt(() => counter.add(1));
    let log = [];
    for (let tries = 0; tries < 200 && log.length === 0; tries += 1) {
      await scheduler.wait(5);
      log = await stub.takeLog();
    }
    const original = await stub.counter();
    const copy = original.dup();
    original[Symbol.dispose]();
    return { after, log, copy: await exactly(() => copy.add(3)) };
  },
};
