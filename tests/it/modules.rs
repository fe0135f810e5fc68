//! What a handler can import, and the error when it cannot.

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
fn any_file_is_imported_as_text_and_does_not_run() {
    let host = Site::new()
        .file("part.js", "throw new Error('it ran');")
        .file("data.json", "{ not json")
        .file(
            "handler.js",
            r#"
            import script from "./part.js" with { type: "text" };
            import own from "./handler.js" with { type: "text" };
            export default async () => {
              const { default: data } = await import("./data.json", { with: { type: "text" } });
              return { script, data, own: own.includes("import own") };
            };"#,
        )
        .serve();

    let script = "throw new Error('it ran');";
    assert_eq!(host.get("/").json(), json!({ "script": script, "data": "{ not json", "own": true }));
}

#[test]
fn text_of_files_outside_the_project_is_refused() {
    let site = Site::new().serving("app").file("package.json", "{}").file(
        "app/handler.js",
        r#"import text from "../../stranger.txt" with { type: "text" }; export default () => text;"#,
    );

    let checked = site.run("check");

    assert_eq!(checked.code, Some(1));
    assert!(checked.output().contains("stranger.txt"), "{}", checked.output());
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

/// What `check` prints about a site that cannot load.
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

#[test]
fn an_error_in_an_imported_file_names_that_file() {
    let host = Site::new()
        .file("lib/fail.js", "export function fail() {\n  throw new TypeError(\"from below\");\n}\n")
        .file("handler.js", "import { fail } from \"./lib/fail.js\";\nexport default () => fail();\n")
        .dev();

    let said = host.get("/").text().to_owned();

    assert!(said.contains("from below") && said.contains("lib/fail.js:2"), "{said}");
}

// -- The border of the project ------------------------------------------------------------------------

/// A project in the folder `site`, beside a file that is none of its business.
fn beside_a_stranger() -> Site {
    Site::new()
        .file("site/package.json", "{}")
        .file("site/lib/own.js", r#"export default "own";"#)
        .file("stranger.js", r#"export default "stranger";"#)
        .file("stranger.json", r#""stranger""#)
        .serving("site/routes")
}

/// Handlers that import a file outside of the project, each in its own way.
fn ways_out(site: &Site) -> Vec<String> {
    let file = site.path("stranger.js").canonicalize().expect("it was written");
    let file = file.display();
    vec![
        r#"import x from "../../stranger.js"; export default () => x;"#.to_owned(),
        r#"export { default } from "../../stranger.js";"#.to_owned(),
        r#"export * from "../../stranger.js"; export default () => 1;"#.to_owned(),
        r#"import x from "../../stranger.json" with { type: "json" }; export default () => x;"#.to_owned(),
        r#"import x from "../lib/../../stranger.js"; export default () => x;"#.to_owned(),
        format!("import x from {:?}; export default () => x;", file.to_string()),
        format!("import x from \"file://{file}\"; export default () => x;"),
        r#"await import("../../stranger.js"); export default () => 1;"#.to_owned(),
        r#"import x from "../../gone.js"; export default () => x;"#.to_owned(),
        r#"import x from "/etc/hostname"; export default () => x;"#.to_owned(),
    ]
}

#[test]
fn what_lies_outside_of_the_project_cannot_be_imported() {
    let site = beside_a_stranger().file("site/routes/handler.js", "");
    for code in ways_out(&site) {
        site.write("site/routes/handler.js", &code);

        let checked = site.run("check");

        let said = checked.output();
        assert_eq!(checked.code, Some(1), "{code}: {said}");
        assert!(said.contains("is outside of the project"), "{code}: {said}");
        assert!(said.contains("site/routes/handler.js"), "{code}: {said}");
        assert!(said.contains("move it into the project, or install it as a package"), "{code}: {said}");
    }
}

#[test]
fn a_dynamic_import_from_outside_of_the_project_fails_where_it_is_asked_for() {
    let host = beside_a_stranger()
        .file(
            "site/routes/handler.js",
            r#"export default async (event) => {
              try {
                return (await import(event.url.searchParams.get("file"))).default;
              } catch (error) {
                return `${error.name}: ${error.message}`;
              }
            };"#,
        )
        .serve();

    for file in ["../../stranger.js", "../lib/../../stranger.js", "file:///etc/hostname", "/etc/hostname"] {
        let said = host.get(&format!("/?file={file}")).text().to_owned();
        assert!(
            said.starts_with("TypeError: ") && said.contains("is outside of the project"),
            "{file}: {said}"
        );
    }
    assert_eq!(host.get("/?file=../lib/own.js").text(), "own");
}

#[test]
fn without_a_package_the_folder_that_is_served_is_the_project() {
    let said = complaint(
        Site::new()
            .file("lib/beside.js", "export default 1;")
            .file("routes/handler.js", "import x from \"../lib/beside.js\"; export default () => x;")
            .serving("routes"),
    );

    assert!(said.contains("lib/beside.js is outside of the project"), "{said}");
    assert!(said.contains("routes/handler.js:1"), "{said}");
}

#[cfg(unix)]
#[test]
fn links_within_the_project_lead_on_and_others_do_not() {
    let host = beside_a_stranger()
        .link("site/routes/own.js", "site/lib/own.js")
        .link("site/routes/away.js", "stranger.js")
        .link("site/routes/up", ".")
        .file("site/routes/handler.js", r#"import own from "./own.js"; export default () => own;"#)
        .serve();
    assert_eq!(host.get("/").text(), "own");

    for file in ["./away.js", "./up/stranger.js"] {
        let code = format!("import x from {file:?}; export default () => x;");
        host.site.write("site/routes/handler.js", code);
        let checked = host.site.run("check");
        let said = checked.output();
        assert_eq!(checked.code, Some(1), "{said}");
        assert!(said.contains("leads to") && said.contains("outside of the project"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_handler_that_is_a_link_out_of_the_project_is_refused() {
    let said = complaint(
        beside_a_stranger()
            .file("other/handler.js", "export default () => 1;")
            .link("site/routes/a/handler.js", "other/handler.js"),
    );

    assert!(said.contains("other/handler.js is outside of the project"), "{said}");
}

#[cfg(unix)]
#[test]
fn packages_may_be_links_that_lead_out_of_the_project() {
    let host = Site::new()
        // As in a workspace: the package lies beside the project, and imports files of its own and another package.
        .file(
            "packages/tool/package.json",
            r#"{ "name": "tool", "type": "module", "exports": "./src/main.js" }"#,
        )
        .file(
            "packages/tool/src/main.js",
            r#"import part from "../part.js"; import far from "far"; export default part + far;"#,
        )
        .file("packages/tool/part.js", r#"export default "part ";"#)
        .file("store/far/package.json", r#"{ "name": "far", "type": "module", "main": "main.js" }"#)
        .file("store/far/main.js", r#"export default "far";"#)
        .link("node_modules/tool", "packages/tool")
        .link("packages/tool/node_modules/far", "store/far")
        // As in stores that link file by file.
        .file("site/node_modules/linked/package.json", r#"{ "type": "module", "main": "main.js" }"#)
        .file("store/files/1.js", r#"export default " linked";"#)
        .link("site/node_modules/linked/main.js", "store/files/1.js")
        .file("site/package.json", "{}")
        .file(
            "site/routes/handler.js",
            r#"import tool from "tool"; import linked from "linked"; export default () => tool + linked;"#,
        )
        .serving("site/routes")
        .serve();

    assert_eq!(host.get("/").text(), "part far linked");
}

#[test]
fn packages_above_the_folder_that_is_served_are_found() {
    let host = Site::new()
        .file("node_modules/plain/package.json", r#"{ "type": "module", "main": "./main.js" }"#)
        .file("node_modules/plain/main.js", r#"export { default } from "./deep.js";"#)
        .file("node_modules/plain/deep.js", r#"export default "plain";"#)
        .file("routes/handler.js", r#"import plain from "plain"; export default () => plain;"#)
        .serving("routes")
        .serve();

    assert_eq!(host.get("/").text(), "plain");
}

#[test]
fn a_package_does_not_lead_out_of_itself() {
    let said = complaint(
        Site::new()
            .file("node_modules/plain/package.json", r#"{ "type": "module", "main": "./main.js" }"#)
            .file("node_modules/plain/main.js", r#"export { default } from "../../stranger.js";"#)
            .file("stranger.js", "export default 1;")
            .file("routes/handler.js", r#"import plain from "plain"; export default () => plain;"#)
            .serving("routes"),
    );

    assert!(said.contains("stranger.js is outside of the project"), "{said}");
}

/// Neither by its entry nor by a path of the importer's within it.
#[test]
fn the_entry_of_a_package_does_not_lead_out_of_it() {
    for (main, specifier) in [("../../../stranger.js", "plain"), ("main.js", "plain/../../../stranger.js")] {
        let said = complaint(
            Site::new()
                .file("site/package.json", "{}")
                .file(
                    "site/node_modules/plain/package.json",
                    format!(r#"{{ "type": "module", "main": "{main}" }}"#),
                )
                .file("site/node_modules/plain/main.js", "export default 1;")
                .file("stranger.js", "export default 1;")
                .file(
                    "site/routes/handler.js",
                    format!(r#"import plain from "{specifier}"; export default () => plain;"#),
                )
                .serving("site/routes"),
        );

        assert!(said.contains("stranger.js is outside of the project"), "{specifier}: {said}");
    }
}

#[test]
fn pages_import_nothing_from_outside_of_the_project() {
    let ways = [
        ("../../stranger.js", "outside of"),
        ("../../node_modules/plain/main.js", "is outside of the project"),
        ("/etc/node_modules/x.js", "is outside of the project"),
    ];
    for (specifier, why) in ways {
        let said =
            complaint(beside_a_stranger().file("node_modules/plain/main.js", "export default 1;").file(
                "site/routes/handler.client.js",
                format!("import {specifier:?}; export default () => 1;"),
            ));
        assert!(said.contains(why) && said.contains("handler.client.js"), "{specifier}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_client_handler_that_is_a_link_out_of_the_project_is_no_address() {
    let said = complaint(
        beside_a_stranger()
            .file("other/secret.js", "export default () => 1;")
            .link("site/routes/handler.client.js", "other/secret.js"),
    );

    assert!(said.contains("other/secret.js is outside of the project"), "{said}");
}
