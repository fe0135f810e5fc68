//! Files that are imported with a type, and WebAssembly.

use serde_json::json;

use super::{assert_fine, complaint};
use crate::support::Site;

/// A module that exports `add`, the sum of two integers.
const ADD: &[u8] =
    b"\0asm\x01\0\0\0\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\0\x07\x07\x01\x03add\0\0\x0a\x09\
                     \x01\x07\0\x20\0\x20\x01\x6a\x0b";

#[test]
fn files_are_imported_as_text_bytes_and_json() {
    let site = Site::new()
        .file("a.txt", "text \u{e9}")
        .file("a.bin", [0, 1, 255])
        .file("a.geojson", r#"{ "a": 1 }"#)
        .file(
            "handler.ts",
            r#"
            import text from "./a.txt" with { type: "text" };
            import bytes from "./a.bin" with { type: "bytes" };
            import geo from "./a.geojson" with { type: "json" };
            export default async () => {
              const dynamic = async (file: string, type: string) => (await import(file, { with: { type } })).default;
              return [
                text, bytes instanceof Uint8Array, [...bytes], geo, await dynamic("./a.txt", "text"),
                (await dynamic("./a.bin", "bytes")) === bytes, await dynamic("./a.geojson", "json"),
              ];
            };"#,
        );
    assert_fine(&site);

    let answer = site.serve().get("/");

    assert_eq!(
        answer.json(),
        json!(["text \u{e9}", true, [0, 1, 255], { "a": 1 }, "text \u{e9}", true, { "a": 1 }])
    );
}

#[test]
fn an_unknown_type_is_an_error_with_its_place() {
    let site = Site::new()
        .file("a.css", "")
        .file("handler.ts", "\nimport a from './a.css' with { type: 'css' };\nexport default () => a;");

    let printed = complaint(&site);

    assert!(
        printed.contains("handler.ts:2:15") && printed.contains("no import has the type \"css\""),
        "{printed}"
    );
    assert!(printed.contains("\"json\", \"text\" and \"bytes\""), "{printed}");
}

#[test]
fn an_unknown_type_of_a_dynamic_import_is_an_error_that_can_be_caught() {
    let host = Site::new()
        .file("a.css", "")
        .file(
            "handler.js",
            "export default () => import('./a.css', { with: { type: 'css' } }).catch((error) => error.message);",
        )
        .serve();

    let text = host.get("/").text().to_owned();

    assert!(text.contains("no import has the type \"css\""), "{text}");
}

#[cfg(not(feature = "quickjs"))]
#[test]
fn webassembly_is_imported_as_an_instance_and_as_a_module() {
    let site = Site::new()
        .file("add.wasm", ADD)
        .file(
            "handler.ts",
            r#"
            import { add } from "./add.wasm";
            export default async () => [add(2, 3), (await import("./add.wasm")).add(4, 5)];"#,
        )
        .file(
            "source/handler.js",
            r#"
            import source module from "../add.wasm";
            export default async () => {
              const { exports } = await WebAssembly.instantiate(module);
              return [module instanceof WebAssembly.Module, exports.add(2, 3)];
            };"#,
        );
    assert_fine(&site);
    let host = site.serve();

    assert_eq!(host.get("/").json(), json!([5, 9]));
}

#[test]
fn pages_import_text_bytes_and_webassembly_as_scripts() {
    let site = Site::new().file("a.txt", "it's \"text\"").file("add.wasm", ADD).file(
        "handler.client.ts",
        r#"
            import text from "./a.txt" with { type: "text" };
            import bytes from "./a.txt" with { type: "bytes" };
            import { add } from "./add.wasm";
            import source module from "./add.wasm";
            export default async () => [
              text, bytes, add, module, (await import("./a.txt", { with: { type: "text" } })).default,
            ];"#,
    );
    assert_fine(&site);
    let host = site.serve();
    let served = |path: &str| host.get(&format!("/.liveline/client/{path}"));

    let handler = served("handler.client.ts").text().to_owned();
    assert!(!handler.contains("with") && !handler.contains("import source"), "{handler}");
    assert!(handler.contains("await import(\"/.liveline/client/a.txt.text.js\")"), "{handler}");
    assert_eq!(served("a.txt.text.js").text(), "export default \"it's \\\"text\\\"\";\n");
    assert!(served("a.txt.bytes.js").text().starts_with("export default new Uint8Array([105,116,"));
    assert!(
        served("add.wasm.module.js")
            .text()
            .contains("compileStreaming(fetch(\"/.liveline/client/add.wasm\"))")
    );
    assert!(served("add.wasm.instance.js").text().contains("as \"add\" };"));
    assert_eq!(served("add.wasm").header("content-type"), Some("application/wasm"));
}
