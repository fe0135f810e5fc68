//! The syntax of TypeScript, and places in its files.

use serde_json::json;

use super::{WithPackage as _, complaint};
use crate::support::{Host, Site};

#[test]
fn types_are_taken_away() {
    let host = Site::new()
        .file("lib.ts", "export type A = { a: number };\nexport const a: A = { a: 1 };")
        .file(
            "handler.ts",
            r#"
            import { a, type A } from "./lib.ts";
            enum Kind { One = "one" }
            export function GET(event: { url: URL }): A & { kind: Kind } {
              return { ...(a satisfies A), kind: Kind.One };
            }"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!({ "a": 1, "kind": "one" }));
}

#[test]
fn a_stack_names_the_lines_of_the_source() {
    let host = failing();

    let answer = host.get("/");

    assert_eq!(answer.status, 500);
    let said = answer.text();
    assert!(said.contains("handler.ts:7"), "{said}");
    assert!(said.contains("throw new Error(\"on line seven\")"), "{said}");
}

/// The compiled line of the throw is not its line in the source.
fn failing() -> Host {
    let source = "interface A {\n  a: number;\n}\n\ntype B = A | string;\nexport default function (): B {\n  \
                  throw new Error(\"on line seven\");\n}\n";
    Site::new().file("handler.ts", source).dev()
}

#[test]
fn a_syntax_error_has_its_place() {
    let said = complaint(&Site::new().file("handler.ts", "export default () => {\n  const x: = 1;\n};\n"));

    assert!(said.contains("handler.ts:2"), "{said}");
}

#[test]
fn enums_namespaces_and_generics_are_compiled() {
    let host = Site::new()
        .package_for_jsx("react", "jsx-runtime")
        .file("names.ts", "export namespace Names { export const a = 'a'; export namespace Deep { export const b = 'b'; } }")
        .file(
            "handler.tsx",
            r#"
            import { Names } from "./names";
            import Deep = Names.Deep;
            const enum Direction { Up = 1, Down }
            abstract class Base<T> { constructor(protected readonly value: T) {} abstract show(): T; }
            class Shown extends Base<number> { override show() { return this.value!; } }
            const identity = <T,>(x: T): T => x;
            const Box = <T extends object>(props: { of: T }) => identity<T>(props.of);
            function over(a: string): string; function over(a: any) { return `${a}` as const; }
            export default (): unknown => [
              Direction.Down, Direction.Up, Names.a, Deep.b, new Shown(7).show(), (<Box<{ a: 1 }> of={{ a: 1 }} />).of,
              over("x") satisfies string,
            ];"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([2, 1, "a", "b", 7, { "a": 1 }, "x"]));
}

#[cfg(not(feature = "quickjs"))]
#[test]
fn using_declarations_dispose() {
    let host = Site::new()
        .file(
            "handler.ts",
            r#"
            export default async () => {
              const seen: string[] = [];
              {
                using a = { [Symbol.dispose]() { seen.push("a"); } };
                await using b = { async [Symbol.asyncDispose]() { seen.push("b"); } };
                seen.push("body");
              }
              return seen;
            };"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["body", "b", "a"]));
}

#[cfg(not(feature = "quickjs"))]
#[test]
fn modules_of_typescript_may_be_common_js() {
    let host = Site::new()
        .file("package.json", "{}")
        .file("a.cts", "import type { B } from './types';\nimport path = require('node:path');\nexport = { base: path.basename('/x/y') as string } as B;")
        .file("types.d.ts", "export interface B { base: string }")
        .file("b.ts", "const a = require('./a.cts');\nexport = a.base + '!';")
        .file("c.mts", "import a = require('./a.cts');\nexport const c: string = a.base + '?';")
        .file(
            "handler.ts",
            "import a from './a.cjs';\nimport b from './b';\nimport { c } from './c.mjs';\nexport default () => [a, b, c];",
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([{ "base": "y" }, "y!", "y?"]));
}
