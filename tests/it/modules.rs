//! What a handler can import, and what it is told when it cannot.

use serde_json::json;

use crate::support::{Site, serve};

#[test]
fn relative_modules_are_shared() {
    let host = Site::new()
        .file("lib/count.js", "let n = 0; export const count = () => ++n;")
        .file("a/handler.js", r#"import { count } from "../lib/count.js"; export default () => count();"#)
        .file("b/handler.js", r#"export default async () => (await import("../lib/count.js")).count();"#)
        .serve();

    let counts = ["/a", "/b", "/a"].map(|path| host.get(path).text().to_owned());

    assert_eq!(counts, ["1", "2", "3"]);
}

#[test]
fn json_is_imported_with_its_type() {
    let host = Site::new()
        .file("data.json", r#"{ "a": [1] }"#)
        .file(
            "handler.js",
            r#"import data from "./data.json" with { type: "json" }; export default () => data;"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!({ "a": [1] }));
}

#[test]
fn top_level_await_is_awaited() {
    let host = serve(
        r#"
        const ready = await new Promise((r) => setTimeout(r, 5, "ready"));
        export default () => ready;"#,
    );

    assert_eq!(host.get("/").text(), "ready");
}

#[test]
fn import_meta_names_the_real_file() {
    let host = Site::new().file("a/handler.js", "export default () => import.meta.url").serve();

    let url = host.get("/a").text().to_owned();

    assert!(url.starts_with("file:///") && url.ends_with("/a/handler.js"), "{url}");
}

#[test]
fn the_hosts_own_modules_have_their_usual_names() {
    let host = serve(
        r#"
        import { LiveResponse } from "@webqit/webflo";
        import { LiveResponse as Plus } from "@webqit/fetch-plus";
        import Observer, { Observer as Named } from "@webqit/observer";
        export default () => {
          const seen = [];
          const state = {};
          Observer.observe(state, "a", (record) => seen.push(record.value));
          Named.set(state, "a", 1);
          return [LiveResponse === Plus, Observer === Named, new LiveResponse(1) instanceof LiveResponse, seen];
        };"#,
    );

    assert_eq!(host.get("/").json(), json!([true, true, true, [1]]));
}

#[test]
fn packages_of_node_modules_are_found() {
    let host = Site::new()
        .file("node_modules/plain/package.json", r#"{ "type": "module", "main": "./main.js" }"#)
        .file("node_modules/plain/main.js", r#"export default "plain""#)
        .file("node_modules/plain/deep.js", r#"export default "deep""#)
        .file(
            "node_modules/@my/mapped/package.json",
            r#"{
              "type": "module",
              "exports": { ".": { "require": "./no.cjs", "import": "./yes.js" }, "./part": "./part.js" }
            }"#,
        )
        .file("node_modules/@my/mapped/yes.js", r#"export { default } from "./part.js""#)
        .file("node_modules/@my/mapped/part.js", r#"export default "mapped""#)
        .file("node_modules/@my/mapped/no.cjs", "module.exports = 0")
        .file(
            "app/a/handler.js",
            r#"
            import plain from "plain";
            import deep from "plain/deep.js";
            import mapped from "@my/mapped";
            import part from "@my/mapped/part";
            export default () => [plain, deep, mapped, part];"#,
        )
        .serve();

    assert_eq!(host.get("/a").json(), json!(["plain", "deep", "mapped", "mapped"]));
}

#[test]
fn web_apis_are_there() {
    let host = serve(
        r#"
        export default async () => ({
          url: new URL("/a?b=1", "http://x").searchParams.get("b"),
          bytes: [...new TextEncoder().encode("\u00e9")],
          clone: structuredClone(new Map([[1, { a: 1 }]])).get(1),
          base64: btoa("hi"),
          form: [...new FormData().keys()].length,
          aborted: AbortSignal.abort().aborted,
          blob: await new Blob(["a", "b"]).text(),
          time: performance.now() > 0,
          console: typeof console.log,
        });"#,
    );

    assert_eq!(
        host.get("/").json(),
        json!({
            "url": "1", "bytes": [195, 169], "clone": { "a": 1 }, "base64": "aGk=", "form": 0, "aborted": true,
            "blob": "ab", "time": true, "console": "function",
        })
    );
}

// -- What cannot be imported --------------------------------------------------------------------------

/// What `check` says about a site that cannot load.
#[track_caller]
fn complaint(site: Site) -> String {
    let checked = site.run("check");
    assert_eq!(checked.code, Some(1), "{}", checked.output());
    checked.output()
}

#[test]
fn an_unknown_package_is_named_with_its_file() {
    let said = complaint(
        Site::new().file("a/handler.js", "\nimport x from \"left-padding\";\nexport default () => x;"),
    );

    assert!(said.contains("left-padding") && said.contains("a/handler.js"), "{said}");
}

#[test]
fn a_missing_file_is_named_with_its_importer() {
    let said = complaint(Site::new().file("a/handler.js", "import \"./gone.js\";\nexport default () => 1;"));

    assert!(said.contains("gone.js") && said.contains("a/handler.js"), "{said}");
}

#[test]
fn a_missing_export_is_named() {
    let site = Site::new()
        .file("lib.js", "export const one = 1;")
        .file("handler.js", "import { two } from \"./lib.js\";\nexport default () => two;");

    let said = complaint(site);

    assert!(said.contains("two") && said.contains("handler.js"), "{said}");
}

// -- TypeScript ---------------------------------------------------------------------------------------

#[cfg(feature = "ts")]
mod typescript {
    use super::*;
    use crate::support::Host;

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
    fn jsx_is_made_by_the_package_it_belongs_to() {
        let host = Site::new()
            .file(
                "node_modules/react/package.json",
                r#"{ "type": "module", "exports": { "./*": "./*.js" } }"#,
            )
            .file(
                "node_modules/react/jsx-runtime.js",
                "export const jsx = (tag, props) => ({ tag, ...props }); export const jsxs = jsx;",
            )
            .file("handler.tsx", r#"export default (): unknown => <p id="x">hi</p>;"#)
            .serve();

        assert_eq!(host.get("/").json(), json!({ "tag": "p", "id": "x", "children": "hi" }));
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
        let said = complaint(Site::new().file("handler.ts", "export default () => {\n  const x: = 1;\n};\n"));

        assert!(said.contains("handler.ts:2"), "{said}");
    }
}

#[test]
fn an_error_in_an_imported_file_names_that_file() {
    let host = Site::new()
        .file("lib/fail.js", "export function fail() {\n  throw new TypeError(\"from below\");\n}\n")
        .file("handler.js", "import { fail } from \"./lib/fail.js\";\nexport default () => fail();\n")
        .dev();

    let said = host.get("/").text().to_owned();

    assert!(said.contains("from below") && said.contains("lib/fail.js:2"), "{said}");
}
