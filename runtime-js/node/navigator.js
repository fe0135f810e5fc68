// The global `navigator`.

import { op_hardware_concurrency, op_user_agent } from "ext:core/ops";
import { core } from "ext:core/mod.js";
import { ObjectFreeze, Symbol, TypeError } from "ext:liveline/primordials.js";

const own = Symbol("own");

/** What a program may ask about the host that it runs in. */
export class Navigator {
  constructor(key) {
    if (key !== own) throw new TypeError("Illegal constructor");
  }

  get hardwareConcurrency() {
    return op_hardware_concurrency();
  }

  get language() {
    return "en-US";
  }

  get languages() {
    return languages;
  }

  get platform() {
    const { arch, os } = core.build;
    return os === "darwin" ? "MacIntel" : os === "windows" ? "Win32" : `Linux ${arch}`;
  }

  get userAgent() {
    return op_user_agent();
  }
}

const languages = ObjectFreeze(["en-US"]);

export const navigator = new Navigator(own);
