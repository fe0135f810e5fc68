// Memory that V8 does not count: WebAssembly's is counted here, and growing shared memory is refused.

import { op_wasm_gone, op_wasm_grow } from "ext:core/ops";
import { define } from "./globals.js";
import {
  ArrayPrototypeSlice,
  FunctionPrototypeCall,
  globalThis,
  Number,
  ObjectDefineProperty,
  ObjectKeys,
  Proxy,
  RangeError,
  ReflectConstruct,
  SafeArrayIterator,
  SafeFinalizationRegistry,
  SafeWeakMap,
} from "./primordials.js";

const PAGE = 65536;

/** @param {string} what @returns {never} */
function refuse(what) {
  throw new RangeError(`${what} are not supported: handlers have no threads to share them with.`);
}

/** The constructor with `construct` in place of its own steps, also where code reaches it through an instance. */
function replace(constructor, construct) {
  const replaced = new Proxy(constructor, { construct });
  constructor.prototype.constructor = replaced;
  return replaced;
}

/** Without what is undefined: a field that is there counts. */
function fieldsOf(descriptor) {
  for (const key of new SafeArrayIterator(ObjectKeys(descriptor))) {
    if (descriptor[key] === undefined) delete descriptor[key];
  }
  return descriptor;
}

/** Puts both in place. A heap that isolates start from is made before the engine has them. */
export function countMemory() {
  // QuickJS has no WebAssembly, and its buffers do not grow.
  if (globalThis.WebAssembly === undefined) return;
  define("SharedArrayBuffer", replace(globalThis.SharedArrayBuffer, (target, { 0: length, 1: options }, self) => {
    if (options?.maxByteLength !== undefined) refuse("Growable SharedArrayBuffers");
    return ReflectConstruct(target, [length], self);
  }));

  const { WebAssembly } = globalThis;
  const { Memory } = WebAssembly;
  const { grow } = Memory.prototype;

  /** Bytes of each memory, in an object that the registry holds, too. */
  const sizes = new SafeWeakMap();
  const registry = new SafeFinalizationRegistry((size) => op_wasm_gone(size.bytes));

  const CountedMemory = replace(Memory, (target, args, self) => {
    const descriptor = args[0];
    if (descriptor === null || typeof descriptor !== "object") return ReflectConstruct(target, args, self);
    const { initial, minimum, maximum, shared, address } = descriptor;
    if (shared) refuse("Shared WebAssembly memories");
    const size = { bytes: Number(initial ?? minimum ?? 0) * PAGE || 0 };
    op_wasm_grow(size.bytes);
    let memory;
    try {
      const counted = ArrayPrototypeSlice(args);
      counted[0] = fieldsOf({ initial, minimum, maximum, address });
      memory = ReflectConstruct(target, counted, self);
    } catch (error) {
      op_wasm_gone(size.bytes);
      throw error;
    }
    sizes.set(memory, size);
    registry.register(memory, size);
    return memory;
  });

  ObjectDefineProperty(WebAssembly, "Memory", {
    configurable: true,
    enumerable: false,
    value: CountedMemory,
    writable: true,
  });

  Memory.prototype.grow = {
    grow(delta) {
      const size = sizes.get(this);
      const bytes = Number(delta) * PAGE;
      if (size === undefined || !(bytes > 0)) return FunctionPrototypeCall(grow, this, delta);
      op_wasm_grow(bytes);
      try {
        const before = FunctionPrototypeCall(grow, this, delta);
        size.bytes += bytes;
        return before;
      } catch (error) {
        op_wasm_gone(bytes);
        throw error;
      }
    },
  }.grow;
}
