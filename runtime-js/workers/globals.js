// Globals of Workers that other handlers do not have.

import { core } from "ext:core/mod.js";
import { define, defineLazy } from "../globals.js";
import { defineCrypto } from "./crypto.js";
import { setTimeout } from "../timers.js";
import { WebSocketRequestResponsePair } from "./actors.js";
import {
  Error,
  Headers,
  HeadersPrototypeGetSetCookie,
  Number,
  ObjectDefineProperty,
  ObjectFreeze,
  Promise,
  Request,
  String,
  StringPrototypeToLowerCase,
  TypeError,
} from "../primordials.js";

/** A cache that keeps nothing, as an empty one may. */
class Cache {
  async match(_request, _options = undefined) {
    return undefined;
  }

  async put(_request, _response) {}

  async delete(_request, _options = undefined) {
    return false;
  }
}

class HTMLRewriter {
  constructor() {
    throw new Error("HTMLRewriter is not available on this host. Write the page as a stream, or transform its text.");
  }
}

/** What Cloudflare knows of the place of a request: nothing here. */
const CF = ObjectFreeze({});

/** Streams that pass bytes on. */
function streams() {
  const { TransformStream } = core.loadExtScript("ext:deno_web/06_streams.js");
  class IdentityTransformStream extends TransformStream {
    constructor() {
      super({});
    }
  }
  class FixedLengthStream extends TransformStream {
    /** @param {number | bigint} length how many bytes are written, neither more nor fewer */
    constructor(length) {
      const whole = Number(length);
      let left = whole;
      super({
        transform(chunk, controller) {
          left -= chunk.byteLength;
          if (left < 0) throw new TypeError(`Attempt to write too many bytes through a FixedLengthStream of ${whole}.`);
          controller.enqueue(chunk);
        },
        flush() {
          if (left > 0) throw new TypeError(`FixedLengthStream did not see all expected bytes before close(): ${left} of ${whole} are missing.`);
        },
      });
    }
  }
  return { FixedLengthStream, IdentityTransformStream };
}

/** Defines them, once a project is a Worker. */
export function defineGlobals(flags) {
  const shared = new Cache();
  define("caches", { default: shared, open: async (_name) => shared });
  define("HTMLRewriter", HTMLRewriter);
  define("WebSocketRequestResponsePair", WebSocketRequestResponsePair);
  let made = null;
  defineLazy("FixedLengthStream", () => (made ??= streams()).FixedLengthStream);
  defineLazy("IdentityTransformStream", () => (made ??= streams()).IdentityTransformStream);
  defineCrypto();
  define("Cloudflare", { compatibilityFlags: flags });
  ObjectDefineProperty(Request.prototype, "cf", { __proto__: null, configurable: true, enumerable: true, get: () => CF });
  ObjectDefineProperty(Headers.prototype, "getAll", {
    __proto__: null,
    configurable: true,
    value(name) {
      if (StringPrototypeToLowerCase(String(name)) !== "set-cookie") {
        throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
      }
      return HeadersPrototypeGetSetCookie(this);
    },
    writable: true,
  });
  define("scheduler", { wait: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)) });
}
