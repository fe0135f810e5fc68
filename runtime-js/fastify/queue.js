// The order in which plugins run: each after the ones that were registered before it, with everything that it registers
// itself before the next one begins.

import { core, primordials } from "ext:core/mod.js";
import { setTimeout, clearTimeout } from "ext:liveline/timers.js";
import { codes } from "ext:liveline_fastify/errors.js";

const {
  ArrayPrototypePop,
  ArrayPrototypePush,
  ArrayPrototypeShift,
  ArrayPrototypeSplice,
  Error,
  ErrorCaptureStackTrace,
  FunctionPrototypeToString,
  Promise,
  PromiseResolve,
  PromisePrototypeThen,
  SafeArrayIterator,
  RegExpPrototypeExec,
  SafeRegExp,
  SafeWeakMap,
  RegExpPrototypeTest,
  StringPrototypeIndexOf,
  StringPrototypeSlice,
  StringPrototypeSplit,
  StringPrototypeTrim,
  SymbolFor,
} = primordials;

const DISPLAY_NAME = SymbolFor("fastify.display-name");
const ASYNC = new SafeRegExp("^async\\b");

export function isThenable(value) {
  return value !== null && (typeof value === "object" || typeof value === "function") && typeof value.then === "function";
}

export function isAsync(func) {
  return RegExpPrototypeTest(ASYNC, FunctionPrototypeToString(func));
}

/** The name of a plugin: what it is displayed as, its function's, else the beginning of its text. */
export function nameOf(func, options) {
  if (typeof options?.name === "string" && options.name !== "") return options.name;
  if (typeof func === "function" || isThenable(func)) {
    if (func[DISPLAY_NAME]) return func[DISPLAY_NAME];
    if (typeof func !== "function") return "promise";
    if (func.name) return func.name;
  }
  const lines = StringPrototypeSplit(StringPrototypeTrim(FunctionPrototypeToString(func)), "\n");
  return lines.length > 1 ? `${StringPrototypeTrim(lines[0])} -- ${StringPrototypeTrim(lines[1])}` : lines[0];
}

/** The frames of the code that called `above`, for errors that are only seen later. */
export function placeOf(above) {
  const place = {};
  ErrorCaptureStackTrace(place, above);
  const { stack } = place;
  const end = StringPrototypeIndexOf(stack, "\n");
  return end === -1 ? "" : StringPrototypeSlice(stack, end);
}

/** The places that errors are about, and those of what was there first. @type {WeakMap<Error, object>} */
const places = new SafeWeakMap();
const FILE = new SafeRegExp("file://[^\\s()]+:\\d+:\\d+");

/** Notes the place of the code that an error is about, in place of the host's own; or where its rival stands. */
export function at(error, place, first = "") {
  if (error === null || typeof error !== "object") return error;
  places.set(error, { place, first });
  return error;
}

/** An error of a boot as the host shows it: its message ends with the place, where the error itself has none. */
export function placed(error) {
  const noted = error !== null && typeof error === "object" ? places.get(error) : undefined;
  if (noted === undefined) return error;
  const first = RegExpPrototypeExec(FILE, noted.first), own = RegExpPrototypeExec(FILE, noted.place);
  if (first !== null) error.message += ` The first one is at ${StringPrototypeSlice(first[0], 7)}.`;
  if (own !== null) error.message += ` at ${own[0]}`;
  return error;
}

/** One plugin, or a callback of `after()`. */
class Plugin {
  queue = [];
  children = [];
  server = null;
  isDone = false;
  began = 0;
  took = 0;
  #isDraining = false;
  #drained = null;

  constructor(parent, func, options, isAfter, place) {
    this.parent = parent;
    this.func = func;
    this.options = options;
    this.isAfter = isAfter;
    this.place = place;
    this.name = parent === null ? "root" : isAfter ? "bound _after" : nameOf(func, options);
  }

  /** Runs what was registered, in order, until nothing is left. */
  drain(boot) {
    if (!this.#isDraining) this.#drained = this.#run(boot);
    return this.#drained;
  }

  async #run(boot) {
    this.#isDraining = true;
    while (this.queue.length > 0) {
      const next = ArrayPrototypeShift(this.queue);
      if (next instanceof Plugin) {
        await boot.run(next);
      } else if (next instanceof Waiting) {
        next.goOn(boot.error);
        await turnOver();
      } else {
        next();
      }
    }
    // What is registered from here on begins anew.
    this.#isDraining = false;
  }
}

/** Code that waits for what was registered before: `await instance.register()`. */
class Waiting {
  #resolve;
  #reject;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  goOn(error) {
    if (error !== null) this.#reject(error);
    else this.#resolve();
  }
}

/** Resolves when the code that goes on has registered what it does without waiting for anything else. */
function turnOver() {
  const { nextTick } = core.createLazyLoader("node:process")().default;
  return new Promise((resolve) => nextTick(resolve));
}

/** How far an application has come. */
export class Boot {
  /** Resolves when all plugins and `ready` callbacks have run. */
  #ready = null;
  #waiting = [];
  #loading = [];
  isBooted = false;
  /** The error that no callback has received yet. */
  error = null;
  /** The next read of `then` of an instance finds none, because a promise resolves with the instance. */
  isPlain = false;

  /**
   * @param {object} hooks
   * @param {(parent: object, func: Function, options: object) => object} hooks.instanceFor
   * @param {() => Promise<void>} hooks.beforeReady
   */
  constructor(server, timeout, hooks) {
    this.root = new Plugin(null, null, {}, false, "");
    this.root.server = server;
    this.timeout = timeout;
    this.hooks = hooks;
    ArrayPrototypePush(this.#loading, this.root);
  }

  get current() {
    return this.#loading[this.#loading.length - 1];
  }

  register(func, options, place) {
    if (this.isBooted) throw new codes.AVV_ERR_ROOT_PLG_BOOTED();
    let plugin = func;
    if (plugin !== null && typeof plugin === "object" && typeof plugin.default === "function") plugin = plugin.default;
    if (typeof plugin !== "function" && !isThenable(plugin)) {
      throw new codes.AVV_ERR_PLUGIN_NOT_VALID(plugin === null ? "null" : typeof plugin);
    }
    this.#add(plugin, options ?? {}, false, place);
  }

  #add(func, options, isAfter, place) {
    const parent = this.current;
    if (parent.isDone) throw new codes.AVV_ERR_PARENT_PLG_LOADED(nameOf(func, options));
    const plugin = new Plugin(parent, func, options, isAfter, place);
    ArrayPrototypePush(parent.queue, plugin);
    ArrayPrototypePush(parent.children, plugin);
  }

  /** Calls `func` after what was registered before; without it, returns a promise. */
  after(func) {
    if (this.isBooted) throw new codes.AVV_ERR_ROOT_PLG_BOOTED();
    if (func === undefined) return this.loadedSoFar();
    this.#add(func, {}, true, "");
  }

  /** Calls `run` after what was registered before, which may be at once. */
  inTurn(run) {
    const { queue } = this.current;
    if (queue.length === 0) run();
    else ArrayPrototypePush(queue, run);
  }

  /** Resolves when what was registered up to now has run. */
  loadedSoFar() {
    const parent = this.current;
    const waiting = new Waiting();
    ArrayPrototypePush(parent.queue, waiting);
    // The boot does not end by this: more may be registered until the application is to be ready.
    PromisePrototypeThen(PromiseResolve(), () => parent.drain(this));
    return waiting.promise;
  }

  /** For `await instance`. */
  get then() {
    if (this.isBooted || this.isPlain) {
      this.isPlain = false;
      return undefined;
    }
    const server = this.current.server;
    return (resolve, reject) => {
      PromisePrototypeThen(this.loadedSoFar(), () => {
        this.isPlain = true;
        resolve(server);
      }, reject);
    };
  }

  async run(plugin) {
    if (this.error !== null && !plugin.isAfter) return;
    ArrayPrototypePush(this.#loading, plugin);
    try {
      if (plugin.isAfter) await this.#callBack(plugin.func, plugin.parent.server, plugin);
      else await this.#load(plugin);
      await plugin.drain(this);
    } catch (error) {
      if (this.error === null) this.error = error ?? new Error(`the plugin ${plugin.name} failed with ${error}`);
    }
    plugin.isDone = true;
    ArrayPrototypePop(this.#loading);
  }

  async #load(plugin) {
    const { parent, place } = plugin;
    let { func } = plugin;
    if (typeof func !== "function") {
      func = await func;
      if (func !== null && typeof func === "object" && func.default !== undefined) func = func.default;
      if (typeof func !== "function") throw at(new codes.AVV_ERR_PLUGIN_NOT_VALID(typeof func), place);
      plugin.name = nameOf(func, plugin.options);
    }
    let options;
    try {
      options = typeof plugin.options === "function" ? plugin.options(parent.server) : plugin.options;
      plugin.server = this.hooks.instanceFor(parent.server, func, options, plugin.options);
    } catch (error) {
      throw at(error, place);
    }
    if (func.length > 2 && isAsync(func)) {
      throw at(new codes.FST_ERR_PLUGIN_INVALID_ASYNC_HANDLER(plugin.name), place);
    }
    plugin.began = primordials.DateNow();
    await this.#limited(plugin, (done) => {
      const { server } = plugin;
      const result = func(server, options, done);
      if (isThenable(result)) PromisePrototypeThen(PromiseResolve(result), () => done(), (error) => done(error ?? new Error(`${error}`)));
      else if (func.length < 3) done();
    });
    await plugin.drain(this);
    plugin.took = primordials.DateNow() - plugin.began;
  }

  /** Waits for `done`, or for so long as a plugin may take. */
  #limited(plugin, call) {
    return new Promise((resolve, reject) => {
      let timer;
      const done = (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve();
      };
      if (this.timeout > 0) {
        timer = setTimeout(() => {
          reject(at(new codes.AVV_ERR_PLUGIN_EXEC_TIMEOUT(plugin.name), plugin.place));
        }, this.timeout);
      }
      try {
        call(done);
      } catch (error) {
        done(error);
      }
    });
  }

  /** Calls a callback of `after` or `ready` with the error, if it takes one. */
  async #callBack(func, server, plugin) {
    const { error } = this;
    const limited = (call) => plugin === null ? new Promise((resolve, reject) => {
      call((failure) => failure ? reject(failure) : resolve());
    }) : this.#limited(plugin, call);
    if (func.length === 0) {
      await func();
    } else if (func.length === 1) {
      this.error = null;
      await func(error);
    } else {
      this.error = null;
      await limited((done) => {
        if (func.length === 2) func(error, done);
        else func(error, server, done);
      });
    }
  }

  /** Begins to run what was registered. */
  start() {
    return this.#ready ??= this.#boot();
  }

  async #boot() {
    await undefined;
    do await this.root.drain(this);
    while (this.root.queue.length > 0);
    this.root.isDone = true;
    this.isBooted = true;
    if (this.error === null) {
      try {
        await this.hooks.beforeReady();
      } catch (error) {
        this.error = error;
      }
    }
    while (this.#waiting.length > 0) {
      const waiting = ArrayPrototypeSplice(this.#waiting, 0);
      for (const run of new SafeArrayIterator(waiting)) await run();
    }
  }

  /** Calls `func` when everything is loaded; without it, returns a promise that rejects with what failed. */
  ready(func) {
    const { server } = this.root;
    if (func === undefined) {
      return new Promise((resolve, reject) => {
        this.#whenReady(() => {
          const { error } = this;
          if (error !== null) return reject(error);
          this.isPlain = !this.isBooted;
          resolve(server);
        });
      });
    }
    this.#whenReady(async () => {
      try {
        await this.#callBack(func, server, null);
      } catch (error) {
        this.error ??= error;
      }
    });
  }

  #whenReady(run) {
    ArrayPrototypePush(this.#waiting, run);
    const booting = this.#ready;
    if (booting === null) this.start();
    else PromisePrototypeThen(booting, () => this.#late());
  }

  async #late() {
    const waiting = ArrayPrototypeSplice(this.#waiting, 0);
    for (const run of new SafeArrayIterator(waiting)) await run();
  }

  /** Each plugin with what it registered, as `printPlugins()` shows it. */
  tree() {
    const shown = (plugin) => ({ name: plugin.name, took: plugin.took, children: primordials.ArrayPrototypeMap(plugin.children, shown) });
    return shown(this.root);
  }
}
