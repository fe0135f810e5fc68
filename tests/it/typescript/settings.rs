//! What settings change in the code, changes of settings, and settings that cannot be read.

use serde_json::json;

use super::{WithPackage as _, assert_fine, complaint};
use crate::support::Site;

#[test]
fn older_decorators_and_metadata_are_set() {
    let host = Site::new()
        .file(
            "tsconfig.json",
            r#"{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }"#,
        )
        .file(
            "handler.ts",
            r#"
            const seen: unknown[] = [];
            (Reflect as any).metadata = (key: string, value: any) => () => { seen.push([key, value?.name]); };
            function logged(target: any, key: string) { seen.push(key); }
            class A { @logged name!: string; @logged method(): void {} }
            export default () => seen;"#,
        )
        .serve();

    let seen = host.get("/").json();

    assert!(seen.as_array().expect("a list").contains(&json!(["design:type", "String"])), "{seen}");
    assert!(seen.as_array().expect("a list").contains(&json!("method")), "{seen}");
}

#[test]
fn without_settings_decorators_are_those_of_javascript() {
    let host = Site::new()
        .file(
            "handler.ts",
            r#"
            function twice(method: Function, context: { kind: string }) {
              return function (this: unknown, x: number) { return [context.kind, 2 * method.call(this, x)]; };
            }
            class A { @twice double(x: number) { return x; } }
            export default () => new A().double(2);"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!(["method", 4]));
}

#[test]
fn fields_without_a_value_are_defined_or_not() {
    let handler = "class A { constructor() { (this as any).a = 1; } }\nclass B extends A { a?: number; }\n\
                   export default () => ({ a: new B().a ?? null });";
    for (settings, a) in [
        ("{}", json!(null)),
        (r#"{ "useDefineForClassFields": false }"#, json!(1)),
        (r#"{ "target": "ES2020" }"#, json!(1)),
        (r#"{ "target": "ES2020", "useDefineForClassFields": true }"#, json!(null)),
    ] {
        let host = Site::new()
            .file("tsconfig.json", format!("{{ \"compilerOptions\": {settings} }}"))
            .file("handler.ts", handler)
            .serve();
        assert_eq!(host.get("/").json(), json!({ "a": a }), "{settings}");
    }
}

#[test]
fn imports_that_are_not_used_are_kept_where_that_is_set() {
    let site = |settings: &str| {
        Site::new()
            .file("tsconfig.json", format!("{{ \"compilerOptions\": {settings} }}"))
            .file("effect.ts", "(globalThis as any).ran = true; export type A = 1; export const b = 1;")
            .file(
                "handler.ts",
                "import { b } from './effect'; export default () => [!!(globalThis as any).ran];",
            )
            .serve()
    };
    assert_eq!(site("{}").get("/").json(), json!([false]));
    assert_eq!(site(r#"{ "verbatimModuleSyntax": true }"#).get("/").json(), json!([true]));
}

#[test]
fn a_change_of_settings_is_loaded() {
    let host = Site::new()
        .serving("app")
        .package_for_jsx("react", "jsx-runtime")
        .package_for_jsx("solid", "jsx-runtime")
        .file("package.json", "{}")
        .file("app/handler.tsx", "export default () => <p/>;")
        .dev();
    assert_eq!(host.get("/").json()["by"], "react");

    for (file, text, by) in [
        ("package.json", r#"{ "jsxImportSource": "solid" }"#, "solid"),
        ("jsconfig.json", r#"{ "compilerOptions": { "jsxImportSource": "react" } }"#, "react"),
        ("tsconfig.json", r#"{ "extends": "./base.json" }"#, ""),
        ("base.json", r#"{ "compilerOptions": { "jsxImportSource": "solid" } }"#, "solid"),
        ("base.json", r#"{ "compilerOptions": { "jsxImportSource": "react" } }"#, "react"),
    ] {
        host.site.write(file, text);
        match by {
            "" => drop(host.log.next("tsconfig.json extends")),
            by => drop(host.until("/", |answer| answer.text().contains(&format!("\"by\":{by:?}")))),
        }
    }
}

#[test]
fn settings_that_cannot_be_read_are_an_error_with_its_place() {
    for (text, words, place) in [
        (
            "{\n  \"compilerOptions\": {\n    \"jsx\" \"react\"\n  }\n}",
            "tsconfig.json is not valid: expected `:`",
            "3:11",
        ),
        ("{\n  \"compilerOptions\": { \"paths\": 1 }\n}", "tsconfig.json is not valid: invalid type", "2:33"),
        ("{\n  \"extends\": \"./gone.json\"\n}", "tsconfig.json extends", "2:14"),
        ("{ \"extends\": \"./tsconfig.json\" }", "circularly", "1:1"),
    ] {
        let site = Site::new()
            .file("package.json", "{}")
            .file("tsconfig.json", text)
            .file("a/handler.ts", "import x from 'x';\nexport default () => x;")
            .file("b/handler.js", "import y from './y.js'; export default () => y;")
            .file("b/y.js", "export default 1;");

        let printed = complaint(&site);

        assert!(
            printed.contains(words) && printed.contains(&format!("tsconfig.json:{place}")),
            "{text}: {printed}"
        );
        assert!(!printed.contains("b/handler.js"), "{printed}");
    }
}

#[test]
fn settings_without_a_package_that_they_extend_are_used_with_a_warning() {
    let host = Site::new()
        .package_for_jsx("solid", "jsx-runtime")
        .file(
            "tsconfig.json",
            r#"{ "extends": ["@my/base/a.json", "./own.json"], "compilerOptions": { "paths": { "x": ["./a"] } } }"#,
        )
        .file("own.json", r#"{ "compilerOptions": { "jsxImportSource": "solid" } }"#)
        .file("a.ts", "export default 'a';")
        .file("handler.tsx", "import x from 'x'; export default () => <p x={x}/>;")
        .serve();

    assert_eq!(host.get("/").json(), json!({ "by": "solid", "tag": "p", "x": "a" }));
    host.log.next("extends @my/base/a.json, which is not installed");
}

#[test]
fn settings_of_packages_are_not_read() {
    let site = Site::new()
        .file("package.json", "{}")
        .file("node_modules/tool/package.json", r#"{ "type": "module", "main": "main.ts" }"#)
        .file("node_modules/tool/tsconfig.json", "{ not json")
        .file("node_modules/tool/main.ts", "export default 'tool' as string;")
        .file("handler.ts", "import tool from 'tool'; export default () => tool;");
    assert_fine(&site);

    assert_eq!(site.serve().get("/").text(), "tool");
}
