import { attempt, exactly } from "./shared/show.mjs";

async function caught(work) {
  try {
    return { returned: await work() };
  } catch (error) {
    if (!(error instanceof Error)) return { thrown: error, type: typeof error };
    return { name: error.name, message: error.message, type: error.constructor.name, remote: error.remote, code: error.code, detail: error.detail, cause: error.cause && { name: error.cause.name, message: error.cause.message } };
  }
}

export const calls = {
  async values({ stub }) {
    const values = [1, "text", null, undefined, true, 10n, new Date(0), new Map([["a", { b: 1 }]]), new Set([1]), /x/g, [1, [2]], { a: { b: undefined } }, new Uint8Array([1, 2]), new ArrayBuffer(2), new RangeError("as a value"), NaN, -0];
    const result = [];
    for (const value of values) result.push(await exactly(() => stub.echo(value)));
    return result;
  },

  async arguments({ stub }) {
    const shared = { a: 1 };
    const pair = await stub.echo(shared, shared);
    return {
      none: await stub.shown(),
      several: await stub.shown(1, undefined, "x"),
      identityKept: pair[0] === pair[1],
      copied: (await stub.echo(shared)) === shared,
      nothing: await stub.nothing(),
      later: await stub.later("late"),
      big: (await stub.echo("x".repeat(1_000_000))).length,
    };
  },

  async members({ stub }) {
    return {
      accessor: await exactly(() => stub.accessor),
      nested: await exactly(async () => (await stub.nested).deep.value),
      nestedDirectly: await exactly(() => stub.nested.deep.value),
      nestedMethod: await exactly(() => stub.nested.deep.method()),
      prototypeProperty: await exactly(() => stub.property),
      field: await attempt(() => stub.field),
      fieldCall: await attempt(() => stub.field()),
      missing: await exactly(() => stub.missing()),
      missingValue: await attempt(() => stub.missing),
      hidden: await attempt(() => stub.hidden()),
      constructor: await attempt(() => stub.echo.constructor.name),
      env: await attempt(() => stub.env),
      ctx: await attempt(() => stub.ctx),
      toStringCall: await attempt(() => stub.toString()),
      hasOwn: await attempt(() => stub.hasOwnProperty("echo")),
      fetchIsHttp: await (await stub.fetch("http://x/")).text(),
      alarm: await attempt(() => stub.alarm()),
      webSocketMessage: await attempt(() => stub.webSocketMessage()),
      typeofMethod: typeof stub.anything,
      keys: Object.keys(stub),
      isThenable: typeof stub.then,
    };
  },

  async errors({ stub }) {
    const result = {};
    for (const kind of ["type", "own", "cause", "text", "object", "undefined", "aggregate", "dom"]) result[kind] = await caught(() => stub.throwError(kind));
    result.later = await caught(() => stub.rejectLater());
    result.usable = await caught(() => stub.echo("still usable"));
    return result;
  },

  async unclonable({ stub }) {
    class Local {}
    const result = { instance: await attempt(() => stub.echo(new Local())), symbol: await attempt(() => stub.echo(Symbol("x"))), weak: await attempt(() => stub.echo(new WeakMap())), promise: await attempt(() => stub.echo(Promise.resolve(5))) };
    for (const kind of ["instance", "symbol", "env", "this", "nestedInstance", "weak"]) {
      result[`returned ${kind}`] = await attempt(async () => typeof (await stub.returnOdd(kind)));
    }
    return result;
  },

  async order({ stub }) {
    const results = await Promise.all(Array.from({ length: 50 }, (_, at) => stub.push(at)));
    const log = await stub.takeLog();
    return { ordered: log.every((value, at) => value === at), results: results.every((value, at) => value === at + 1), length: log.length };
  },

  async overlapping({ stub }) {
    await Promise.all([stub.slowPush("a"), stub.slowPush("b")]);
    return (await stub.takeLog()).slice(0, 2);
  },

  async notAwaited({ stub }) {
    stub.push("not awaited");
    return stub.takeLog();
  },
};
