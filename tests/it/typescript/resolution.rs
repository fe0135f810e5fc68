//! Imports without an extension, of folders, of the JavaScript that TypeScript would write, and by the paths of settings.

use serde_json::json;

use super::{assert_fine, complaint};
use crate::support::Site;

/// A handler on the server and one in pages that import these, in this order, and return their default exports.
fn importing(site: Site, specifiers: &[&str]) -> Site {
    let imports: String =
        (0..).zip(specifiers).map(|(n, it)| format!("import x{n} from {it:?};\n")).collect();
    let names: Vec<_> = (0..specifiers.len()).map(|n| format!("x{n}")).collect();
    let handler = format!("{imports}export default () => [{}];\n", names.join(", "));
    site.file("handler.ts", &handler).file("page/handler.client.ts", handler.replace("\"./", "\"../"))
}

/// A file that exports its own name.
fn named(site: Site, files: &[&str]) -> Site {
    files.iter().fold(site, |site, file| site.file(file, format!("export default {file:?};")))
}

#[test]
fn an_import_without_an_extension_finds_the_first_of_the_list() {
    let files = [
        "a.ts", "a.tsx", "a.js", "b.tsx", "b.mts", "c.mts", "c.js", "d.js", "d.jsx", "e.jsx", "e.mjs",
        "f.mjs",
    ];
    let site = named(Site::new(), &files);
    let site = importing(site, &["./a", "./b", "./c", "./d", "./e", "./f", "./a.tsx"]);
    assert_fine(&site);
    let host = site.serve();

    let found = json!(["a.ts", "b.tsx", "c.mts", "d.js", "e.jsx", "f.mjs", "a.tsx"]);
    assert_eq!(host.get("/").json(), found);
    let page = host.get("/.liveline/client/page/handler.client.ts");
    assert!(
        page.text().contains("/.liveline/client/b.tsx\"") && !page.text().contains("\"../"),
        "{}",
        page.text()
    );
}

#[test]
fn an_import_without_an_extension_may_be_json_and_dynamic_and_have_a_query() {
    let host = Site::new()
        .file("data.json", "[1]")
        .file("a.ts", "export default import.meta.url;")
        .file(
            "handler.js",
            r#"import data from "./data" with { type: "json" };
            export default async () => [data, (await import("./a?1")).default.replace(/.*\//, "")];"#,
        )
        .serve();

    assert_eq!(host.get("/").json(), json!([[1], "a.ts?1"]));
}

#[test]
fn the_import_of_a_folder_finds_its_index() {
    let site =
        named(Site::new(), &["lib/index.ts", "lib/index.js", "other/index.mjs", "other/lib.js", "index.ts"])
            .file("main/package.json", r#"{ "main": "./src/main.js" }"#)
            .file("main/src/main.ts", "export default 'main';")
            // A file goes before a folder of its name.
            .file("both.ts", "export default 'both';")
            .file("both/index.ts", "export default 'no';");
    let site = importing(site, &["./lib", "./lib/", "./other", "./main", "./both", "./both/", "."]);
    let site = site.file("page/handler.client.ts", "import a from '..'; export default () => a;");
    assert_fine(&site);

    let answer = site.serve().get("/");

    assert_eq!(
        answer.json(),
        json!(["lib/index.ts", "lib/index.ts", "other/index.mjs", "main", "both", "no", "index.ts"])
    );
}

#[test]
fn the_name_of_the_javascript_finds_the_typescript() {
    let site = named(Site::new(), &["a.ts", "b.tsx", "c.mts", "e.tsx", "f.ts", "f.js", "g/index.ts"]);
    let site = importing(site, &["./a.js", "./b.js", "./c.mjs", "./e.jsx", "./f.js", "./g/index.js"]);
    assert_fine(&site);

    let answer = site.serve().get("/");

    assert_eq!(answer.json(), json!(["a.ts", "b.tsx", "c.mts", "e.tsx", "f.js", "g/index.ts"]));
}

#[test]
fn files_of_packages_find_their_javascript_first() {
    let host = Site::new()
        .file("node_modules/tool/package.json", r#"{ "type": "module", "main": "main" }"#)
        .file("node_modules/tool/main.js", "export { default } from './part';")
        .file("node_modules/tool/part.ts", "throw new Error('the source of the package ran');")
        .file("node_modules/tool/part.js", "export default 'part';")
        .file("handler.js", "import tool from 'tool'; export default () => tool;")
        .serve();

    assert_eq!(host.get("/").text(), "part");
}

#[test]
fn declarations_are_never_loaded() {
    let site = Site::new()
        .file("types.d.ts", "export interface A { a: number }")
        .file("only.d.ts", "export interface B { b: number }")
        .file("handler.ts", "import type { A } from './types';\nexport default (): A => ({ a: 1 });");
    assert_fine(&site);
    for (specifier, words) in [("./only", "there is no such file"), ("./only.d.ts", "declares types only")] {
        site.write("handler.ts", format!("export * from {specifier:?};\nexport default () => 1;"));
        let printed = complaint(&site);
        assert!(printed.contains(words) && printed.contains("handler.ts:1:15"), "{printed}");
    }
}

#[test]
fn an_import_that_finds_nothing_is_an_error_with_what_was_meant() {
    for (specifier, words) in [
        ("./lib/nmaes", "did you mean \"./lib/names.ts\"?"),
        ("./lib/Names", "did you mean \"./lib/names.ts\"?"),
        ("./names", "did you mean \"./lib/names.ts\"?"),
        ("./empty", "it is a folder without an index file"),
        ("./empty/", "it is a folder without an index file"),
    ] {
        for file in ["handler.ts", "handler.client.ts"] {
            let printed = complaint(
                &Site::new()
                    .file("lib/names.ts", "export default 1;")
                    .file("empty/read.me", "")
                    .file(file, format!("\nimport x from {specifier:?};\nexport default () => x;")),
            );
            assert!(
                printed.contains(words) && printed.contains(&format!("{file}:2:15")),
                "{specifier}: {printed}"
            );
        }
    }
}

/// A project with settings, and a handler below `app/`.
fn with_paths(config: &str) -> Site {
    named(Site::new().serving("app"), &["src/lib/a.ts", "src/lib/index.ts", "src/only.tsx", "src/util.js"])
        .file("package.json", "{}")
        .file(config, r#"{ "compilerOptions": { "paths": { "@/*": ["./src/*"], "only": ["./src/only"] } } }"#)
        .file(
            "app/handler.ts",
            "import a from '@/lib/a'; import index from '@/lib'; import only from 'only'; import util from '@/util.js';\n\
             export default () => [a, index, only, util];",
        )
}

#[test]
fn paths_of_settings_are_followed() {
    for config in ["tsconfig.json", "jsconfig.json"] {
        let site = with_paths(config);
        assert_fine(&site);

        let answer = site.serve().get("/");

        assert_eq!(
            answer.json(),
            json!(["src/lib/a.ts", "src/lib/index.ts", "src/only.tsx", "src/util.js"]),
            "{config}"
        );
    }
}

#[test]
fn paths_of_settings_are_followed_in_handlers_of_javascript_and_of_pages() {
    let site = Site::new()
        .file(
            "tsconfig.json",
            "{\n  // the site's own\n  \"compilerOptions\": { \"paths\": { \"~/*\": [\"./lib/*\"], }, },\n}",
        )
        .file("lib/a.ts", "export default 'a';")
        .file("handler.js", "import a from '~/a'; export default () => a;")
        .file("p/handler.client.ts", "import a from '~/a'; export default () => a;");
    assert_fine(&site);
    let host = site.serve();

    assert_eq!(host.get("/").text(), "a");
    let page = host.get("/.liveline/client/p/handler.client.ts");
    assert!(page.text().contains("import a from \"/.liveline/client/lib/a.ts\""), "{}", page.text());
}

#[test]
fn names_below_the_base_url_are_files_and_others_are_packages() {
    let host = Site::new()
        .file("tsconfig.json", r#"{ "compilerOptions": { "baseUrl": "./src" } }"#)
        .file("src/lib/a.ts", "export default 'a';")
        .file("node_modules/pack/package.json", r#"{ "type": "module", "main": "main.js" }"#)
        .file("node_modules/pack/main.js", "export default 'pack';")
        .file("handler.ts", "import a from 'lib/a'; import pack from 'pack'; export default () => [a, pack];")
        .serve();

    assert_eq!(host.get("/").json(), json!(["a", "pack"]));
}

#[test]
fn settings_extend_others_and_refer_to_projects() {
    let host = with_paths("base/tsconfig.paths.json")
        .file(
            "base/tsconfig.paths.json",
            r#"{ "compilerOptions": { "paths": { "@/*": ["../src/*"], "only": ["../src/only"] } } }"#,
        )
        .file("node_modules/@my/config/package.json", r#"{ "exports": { "./strict": "./strict.json" } }"#)
        .file(
            "node_modules/@my/config/strict.json",
            r#"{ "compilerOptions": { "paths": { "only": ["nowhere"] } } }"#,
        )
        .file(
            "tsconfig.app.json",
            r#"{ "extends": ["@my/config/strict", "./base/tsconfig.paths"], "include": ["app"] }"#,
        )
        .file("tsconfig.json", r#"{ "files": [], "references": [{ "path": "./tsconfig.app.json" }] }"#)
        .serve();

    assert_eq!(host.get("/").json()[2], json!("src/only.tsx"));
}

#[test]
fn the_nearest_settings_count() {
    let host = Site::new()
        .serving("app")
        .file("package.json", "{}")
        .file("tsconfig.json", r#"{ "compilerOptions": { "paths": { "x": ["./far"] } } }"#)
        .file("far.ts", "export default 'far';")
        .file("app/a/tsconfig.json", r#"{ "compilerOptions": { "paths": { "x": ["./near"] } } }"#)
        .file("app/a/near.ts", "export default 'near';")
        .file("app/a/handler.ts", "import x from 'x'; export default () => x;")
        .file("app/b/handler.ts", "import x from 'x'; export default () => x;")
        .serve();

    assert_eq!((host.get("/a").text(), host.get("/b").text()), ("near", "far"));
}

#[test]
fn a_path_of_settings_without_a_file_is_an_error_with_what_was_meant() {
    let site = with_paths("tsconfig.json")
        .file("app/handler.ts", "import a from '@/lib/indx'; export default () => a;");

    let printed = complaint(&site);

    assert!(printed.contains("tsconfig.json maps it to") && printed.contains("src/lib/indx"), "{printed}");
    assert!(
        printed.contains("did you mean \"../src/lib/index.ts\"?") && printed.contains("handler.ts:1:15"),
        "{printed}"
    );
}
