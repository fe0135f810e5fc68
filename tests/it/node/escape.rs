//! The objects of the embedding are nowhere to be found.

use serde_json::json;

use super::answer_of;

#[test]
fn no_object_of_the_embedding_is_reachable() {
    let answer = answer_of(
        r#"import { builtinModules, createRequire } from "node:module"; import fs from "node:fs"; import vm from "node:vm";"#,
        r#"
        const NAMES = /^(Deno|__bootstrap|__liveline|bootstrap|internals|primordials|core|ops|op_\w+)$/;
        const found = [];
        const seen = new Set();
        const visit = (value, path) => {
          if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value) || path.length > 8) return;
          seen.add(value);
          for (const key of Reflect.ownKeys(value)) {
            const property = Object.getOwnPropertyDescriptor(value, key);
            const inner = "value" in property ? property.value : undefined;
            // A module of constants may have such a name.
            if (NAMES.test(String(key)) && inner !== undefined) found.push([...path, String(key)].join("."));
            visit(inner, [...path, String(key)]);
            visit(property.get, [...path, `get ${String(key)}`]);
          }
          visit(Object.getPrototypeOf(value), [...path, "prototype"]);
        };
        visit(globalThis, ["globalThis"]);
        visit(process, ["process"]);
        const require = createRequire(import.meta.url);
        for (const name of builtinModules) {
          if (name === "node:sqlite") continue;
          visit(await import(name), [name]);
          visit(require(name), [`require ${name}`]);
        }
        for (const name of ["async_wrap", "buffer", "config", "constants", "crypto", "fs", "natives", "os", "stream_wrap", "tcp_wrap", "types", "util", "uv"]) {
          await attempt(() => visit(process.binding(name), [`binding ${name}`]));
        }
        Error.prepareStackTrace = (_, frames) => {
          for (const frame of frames) {
            visit(frame.getThis(), ["frame.getThis()"]);
            visit(frame.getFunction(), ["frame.getFunction()"]);
            visit(frame.getEvalOrigin(), ["frame.getEvalOrigin()"]);
          }
          return "";
        };
        for (const call of [() => new URL("not a url"), () => fs.readFileSync("/nothing"), () => process.exit(1), () => setTimeout(1n), () => structuredClone(() => {})]) {
          try { call(); } catch (error) { error.stack; }
        }
        Error.prepareStackTrace = undefined;
        for (const code of ["typeof Deno", "typeof __bootstrap", "typeof __liveline"]) {
          if (vm.runInThisContext(code) !== "undefined" || (0, eval)(code) !== "undefined" || Function(`return ${code}`)() !== "undefined") found.push(code);
        }
        const linked = await attempt(() => process._linkedBinding?.("deno"));
        if (linked && !linked.error) found.push("process._linkedBinding");
        return { found, some: seen.size > 1000 };"#,
    );

    assert_eq!(answer, json!({ "found": [], "some": true }));
}

#[test]
fn modules_of_the_embedding_are_not_imported() {
    let answer = answer_of(
        r#"import { createRequire } from "node:module";"#,
        r#"
        const require = createRequire(import.meta.url);
        const reached = [];
        for (const name of ["ext:core/mod.js", "ext:core/ops", "ext:deno_node/internal/errors.ts", "ext:liveline_node/deno.js", "node:internal/errors", "internal/errors", "node:ext:core"]) {
          if (!(await attempt(() => import(name))).error) reached.push(`import ${name}`);
          if (!(await attempt(() => require(name)))?.error) reached.push(`require ${name}`);
        }
        return reached;"#,
    );

    assert_eq!(answer, json!([]));
}
