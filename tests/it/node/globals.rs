//! The globals that Node has and the web has not, and those of the web that Node has too.

use serde_json::json;

use super::answer_of;
use crate::support::serve;

#[test]
fn globals_are_those_of_the_modules() {
    let answer = answer_of(
        r#"import buffer from "node:buffer"; import node from "node:process"; import timers from "node:timers"; import crypto from "node:crypto";"#,
        r#"return {
          same: [process === node, Buffer === buffer.Buffer, setImmediate === timers.setImmediate, clearImmediate === timers.clearImmediate, global === globalThis, crypto.webcrypto === globalThis.crypto],
          types: [navigator, performance, queueMicrotask, structuredClone, MessageChannel, MessagePort, WebSocket, reportError, CryptoKey, SubtleCrypto, Crypto, PerformanceObserver].map((it) => typeof it),
          absent: [typeof gc, typeof Deno, typeof Worker, typeof caches, typeof require, typeof module],
          navigator: [navigator.userAgent.startsWith("Liveline/"), navigator.hardwareConcurrency > 0, navigator.language],
          enumerable: Object.keys(globalThis),
        };"#,
    );

    assert_eq!(answer["same"], json!([true, true, true, true, true, true]));
    let types = answer["types"].as_array().expect("a list");
    assert!(types.iter().all(|it| it == "function" || it == "object"), "{answer}");
    assert_eq!(answer["absent"], json!(vec!["undefined"; 6]));
    assert_eq!(answer["navigator"], json!([true, true, "en-US"]));
    assert_eq!(answer["enumerable"], json!([]));
}

#[test]
fn the_order_of_callbacks_is_that_of_node() {
    let answer = answer_of(
        "",
        r#"
        const order = [];
        setImmediate(() => order.push("immediate"));
        process.nextTick(() => order.push("tick"));
        Promise.resolve().then(() => { order.push("promise"); process.nextTick(() => order.push("tick of a promise")); });
        order.push("now");
        await wait(5);
        return order;"#,
    );

    // A handler runs as a microtask, as the code of an ES module does, so promises come before ticks.
    assert_eq!(answer, json!(["now", "promise", "tick", "tick of a promise", "immediate"]));
}

#[test]
fn bytes_of_buffers_count_toward_the_memory_limit() {
    for make in [
        "Buffer.alloc(8 << 20, 1)",
        "Buffer.allocUnsafeSlow(8 << 20).fill(1)",
        "Buffer.from(text)",
        "zlib.inflateSync(packed)",
    ] {
        let host = crate::support::Site::new()
            .file(
                "handler.js",
                format!(
                    r#"import zlib from "node:zlib";
                    const packed = zlib.deflateSync(Buffer.alloc(8 << 20));
                    const text = "x".repeat(8 << 20);
                    export default async (event, next) => {{
                      if (next.stepname === "alive") return "alive";
                      const kept = [];
                      for (let n = 0; n < 512; n++) {{ kept.push({make}); await new Promise((done) => setTimeout(done, 0)); }}
                      return kept.length;
                    }};"#
                ),
            )
            .arg("--max-heap")
            .arg("64M")
            .serve();

        assert_ne!(host.get("/").status, 200, "{make}");
        assert_eq!(host.get("/alive").text(), "alive", "{make}");
    }
}

#[test]
fn a_package_that_replaces_built_ins_does_not_break_the_host() {
    let host = serve(
        r#"
        import "node:fs"; import "node:http"; import "node:crypto"; import "node:timers"; import "node:stream";
        import { AsyncLocalStorage } from "node:async_hooks";
        const storage = new AsyncLocalStorage();
        export default async (event, next) => {
          if (next.stepname === "patch") {
            Object.prototype.polluted = "yes";
            Object.prototype.get = () => { throw new Error("replaced"); };
            Array.prototype[Symbol.iterator] = () => { throw new Error("replaced"); };
            for (const name of ["push", "map", "forEach", "slice", "splice", "concat"]) Array.prototype[name] = () => { throw new Error("replaced"); };
            Map.prototype.get = Map.prototype.set = Function.prototype.call = Function.prototype.apply = Promise.prototype.then = () => { throw new Error("replaced"); };
            globalThis.process = globalThis.Buffer = globalThis.navigator = undefined;
            return "patched";
          }
          if (next.stepname === "tick") return await new Promise((done) => setTimeout(() => done("ticked"), 1));
          return "fine";
        };"#,
    );

    assert_eq!(host.get("/").text(), "fine");
    host.get("/patch");

    assert_eq!(host.get("/").text(), "fine");
    assert_eq!(host.get("/tick").text(), "ticked");
}
