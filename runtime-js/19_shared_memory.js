// Memory that V8 counts for nobody: WebAssembly's is counted here, and shared memory that grows there is none.

import { op_wasm_gone, op_wasm_grow } from "ext:core/ops";
import { define } from "ext:liveline/00_globals.js";

const PAGE = 65536;

/** @param {string} what @returns {never} */
function refuse(what) {
  throw new RangeError(`${what} are not supported: handlers have no threads to share them with.`);
}

/** The constructor, with `construct` in place of its own steps, and for whoever finds it through its instances. */
function replace(constructor, construct) {
  const replaced = new Proxy(constructor, { construct });
  constructor.prototype.constructor = replaced;
  return replaced;
}

/** Without what is undefined: a field that is there counts. */
function fieldsOf(descriptor) {
  for (const key of Object.keys(descriptor)) if (descriptor[key] === undefined) delete descriptor[key];
  return descriptor;
}

/** Called when an isolate starts: what a started engine was kept of has neither of the two. */
export function limitSharedMemory() {
  // QuickJS has no WebAssembly, and its buffers do not grow.
  if (globalThis.WebAssembly === undefined) return;
  define("SharedArrayBuffer", replace(SharedArrayBuffer, (target, [length, options], self) => {
    if (options?.maxByteLength !== undefined) refuse("Growable SharedArrayBuffers");
    return Reflect.construct(target, [length], self);
  }));

  const { Memory } = WebAssembly;
  const { grow } = Memory.prototype;

  // Bytes of each memory, in an object that the registry holds, too.
  const sizes = new WeakMap();
  const registry = new FinalizationRegistry((size) => op_wasm_gone(size.bytes));

  const CountedMemory = replace(Memory, (target, [descriptor, ...rest], self) => {
    if (descriptor === null || typeof descriptor !== "object") return Reflect.construct(target, [descriptor, ...rest], self);
    const { initial, minimum, maximum, shared, address } = descriptor;
    if (shared) refuse("Shared WebAssembly memories");
    const size = { bytes: Number(initial ?? minimum ?? 0) * PAGE || 0 };
    op_wasm_grow(size.bytes);
    let memory;
    try {
      memory = Reflect.construct(target, [fieldsOf({ initial, minimum, maximum, address }), ...rest], self);
    } catch (error) {
      op_wasm_gone(size.bytes);
      throw error;
    }
    sizes.set(memory, size);
    registry.register(memory, size);
    return memory;
  });

  Object.defineProperty(WebAssembly, "Memory", { configurable: true, enumerable: false, value: CountedMemory, writable: true });

  Memory.prototype.grow = {
    grow(delta) {
      const size = sizes.get(this);
      const bytes = Number(delta) * PAGE;
      if (size === undefined || !(bytes > 0)) return grow.call(this, delta);
      op_wasm_grow(bytes);
      try {
        const before = grow.call(this, delta);
        size.bytes += bytes;
        return before;
      } catch (error) {
        op_wasm_gone(bytes);
        throw error;
      }
    },
  }.grow;
}
