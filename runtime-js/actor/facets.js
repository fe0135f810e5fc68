// Facets: actors that belong to another one, run beside it, and have files of their own below its file.

import { op_actor_delete_facet, op_actor_isolate, op_actor_start_facet } from "ext:core/ops";
import { inActor } from "./context.js";
import { hostError } from "./errors.js";
import { Instance } from "./instance.js";
import { callMember, exportTarget, invoke } from "./mail.js";
import { setFacets } from "./state.js";
import { stubOf } from "./stub.js";
import { followRedirects, requestToOwnCode } from "../fetch/redirects.js";
import { Error, Request, SafeMap, String, TypeError } from "../primordials.js";

class DurableObjectFacets {
  #parent;
  /** Those that run, by name. @type {Map<string, { instance: Instance, target: number }>} */
  #running = new SafeMap();

  constructor(parent) {
    this.#parent = parent;
    parent.onEnd(() => {
      for (const { instance } of this.#running.values()) {
        instance.reset(parent.failure ?? hostError("The Durable Object that the facet belongs to has ended."));
      }
    });
  }

  /** A stub of a facet. `start` returns its class when it has to begin to run. */
  get(name, start) {
    const key = String(name);
    if (typeof start !== "function") throw new TypeError("facets.get(): the second argument returns what to start.");
    const send = async (path, args) => {
      const target = await this.#target(key, start);
      return await invoke(op_actor_isolate(), target, ["call"], [path, args]);
    };
    const own = {
      __proto__: null,
      name: key,
      fetch: async (input, init = undefined) => {
        const target = await this.#target(key, start);
        const send = (request) => invoke(op_actor_isolate(), target, ["fetch"], [request]);
        return await followRedirects(requestToOwnCode(input, init), send);
      },
    };
    return stubOf({ send }, own);
  }

  async #target(name, start) {
    const known = this.#running.get(name);
    if (known !== undefined && !known.instance.ended) return known.target;
    const { class: Class, id } = await start();
    if (typeof Class !== "function") throw new TypeError(`The facet ${name} has no class.`);
    const again = this.#running.get(name);
    if (again !== undefined && !again.instance.ended) return again.target;
    const parent = this.#parent;
    const own = typeof id === "string" ? { text: parent.id, name: id } : { text: String(id ?? parent.id), name: id?.name ?? parent.name };
    const number = op_actor_start_facet(parent.number, name);
    if (number < 0) throw new Error(`The facet ${name} has not ended yet.`);
    const { name: className } = Class;
    const instance = new Instance(number, className, own.text, own.name, `${parent.key}/${name}`);
    const error = instance.construct(Class);
    if (error !== undefined) throw error;
    const target = inActor(instance, () => exportTarget({
      __proto__: null,
      call: (path, args) => callMember(instance.object, path, args, true),
      // Its own fetch(request) does not follow redirects, unless it asks for that.
      fetch: (request) => instance.object.fetch(new Request(request, { redirect: "manual" })),
    }));
    this.#running.set(name, { instance, target });
    return target;
  }

  /** Ends a facet; the next call starts it again. */
  abort(name, reason = undefined) {
    const key = String(name);
    this.#running.get(key)?.instance.reset(reason ?? new Error("The facet was aborted."));
    this.#running.delete(key);
  }

  /** Ends a facet and deletes its storage. */
  delete(name) {
    this.abort(name, new Error("The facet was deleted."));
    op_actor_delete_facet(this.#parent.number, String(name));
  }

  clone() {
    throw new Error("facets.clone() is not supported.");
  }
}

setFacets((parent) => new DurableObjectFacets(parent));
