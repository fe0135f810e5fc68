//! `liveline check` and `liveline routes`: what is found in a folder before anybody asks it for anything.

use serde_json::Value;

use crate::support::{Finished, Site, executable};

const FINE: &str = "export default () => 1";

/// What `check` finds: each problem's message with its place, as `file:line:column message (help)`.
#[track_caller]
fn problems(site: &Site) -> Vec<String> {
    let site = Site::of(site.path(".")).arg("--json");
    let checked = site.run("check");
    let found: Value =
        serde_json::from_str(&checked.stdout).unwrap_or_else(|_| panic!("{}", checked.output()));
    let problems = found["problems"].as_array().expect("a list");
    assert_eq!(found["ok"], Value::from(problems.is_empty()));
    assert_eq!(checked.code, Some(i32::from(!problems.is_empty())), "{}", checked.output());
    let root = std::fs::canonicalize(site.served()).expect("the served folder");
    let text = |problem: &Value, key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let shown = |problem: &Value| {
        let file = text(problem, "file").replace(&format!("{}/", root.display()), "");
        let (line, column) = (&problem["line"], &problem["column"]);
        format!("{file}:{line}:{column} {} ({})", text(problem, "message"), text(problem, "help"))
    };
    problems.iter().map(shown).collect()
}

/// Expects one problem for each list; it has to contain the texts of the list.
#[track_caller]
fn assert_problems(site: &Site, expected: &[&[&str]]) {
    let found = problems(site);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for words in expected {
        let has_all = |problem: &&String| words.iter().all(|word| problem.contains(word));
        assert!(found.iter().any(|problem| has_all(&problem)), "{words:?} are not in {found:#?}");
    }
}

#[track_caller]
fn assert_fine(site: &Site) {
    assert_eq!(problems(site), [""; 0]);
}

// -- Exports ------------------------------------------------------------------------------------------

#[test]
fn misspelt_methods_are_found_in_every_kind_of_handler() {
    let files = ["handler.js", "handler.server.ts", "handler.client.js", "handler.worker.ts", "handler.tsx"];
    for (name, meant) in [
        ("Get", "`GET`"),
        ("post", "`POST`"),
        ("GETT", "`GET`"),
        ("Delete", "`DELETE`"),
        ("PTACH", "`PATCH`"),
        ("defualt", "`export default`"),
    ] {
        for file in files {
            let source = format!("export const GET_STARTED = 1;\n\n  export function {name}() {{}}\n");
            let site = Site::new().file(&format!("a/{file}"), source);
            assert_problems(&site, &[&[&format!("a/{file}:3:19 "), &format!("`{name}`"), meant]]);
        }
    }
}

#[test]
fn misspelt_methods_are_found_behind_re_exports() {
    let site = Site::new()
        .file("handler.js", "export * from './all.js';\nexport { one as Put } from './one.js';\n")
        .file("all.js", "export const Post = async () => 1;")
        .file("one.js", "export const one = () => 1;");
    assert_problems(&site, &[&["handler.js", "`Post`", "`POST`"], &["handler.js:2:17", "`Put`", "`PUT`"]]);
}

#[test]
fn handlers_that_cannot_answer_are_found() {
    for (source, words) in [
        ("", "the file is empty"),
        ("const a = 1;", "it exports nothing"),
        ("export const helper = () => 1;", "only `helper`"),
        ("function GET() {}", "`GET` is not exported"),
        ("export default { GET() {} };", "the default export cannot answer requests: it is no function"),
        ("export default class {}", "the default export cannot answer requests: it is a class"),
        ("export const GET = 'text', POST = () => 1;", "`GET` cannot answer requests: it is no function"),
    ] {
        for file in ["handler.js", "handler.client.js", "handler.worker.js"] {
            assert_problems(&Site::new().file(file, source), &[&[file, words]]);
        }
    }
}

#[test]
fn code_for_other_hosts_is_an_error_with_a_hint() {
    for (source, words) in [
        ("module.exports = { GET() {} };", "name a CommonJS file `.cjs`"),
        ("const fs = require('fs');", "name a CommonJS file `.cjs`"),
        ("__dirname;", "import.meta.dirname"),
        ("Deno.env;", "this is of another host"),
        ("document.title;", "handler.client.js"),
    ] {
        let source = format!("{source}\nexport default () => 1;");
        assert_problems(
            &Site::new().file("handler.js", source),
            &[&["handler.js:1:", "is not defined", words]],
        );
    }
}

#[test]
fn names_of_files_command_no_terminal() {
    let site = Site::new().file("a\u{1b}[31m/handler.js", "export const Get = () => 1;");
    for command in ["check", "routes"] {
        let output = site.run(command).output();
        assert!(output.contains("a\u{fffd}[31m/handler.js") && !output.contains('\u{1b}'), "{output}");
    }
}

#[test]
fn helpers_beside_methods_are_nobodys_business() {
    assert_fine(&Site::new().file(
        "handler.js",
        "export const csrf = false, LIMIT = 3, config = {};
         export function set() {} export function match() {} export function posts() {} export function getUser() {}
         export class Page {} export const get = () => 1; export { get as GET };",
    ));
}

// -- Imports ------------------------------------------------------------------------------------------

#[test]
fn every_failing_import_is_found_and_what_was_meant() {
    let site = Site::new()
        .file(
            "a/handler.js",
            "import { onne, two } from '../lib/names.js';\nimport x from '../lib/names.js';\n\
             import '../lib/nmaes.js';\nimport '../lib/Names.js';\nimport '../lib/name';\nimport '../empty';\n\
             import './db.js';\nimport { clint } from 'liveline:sql';\nimport '@webqit/webfloo';\n\
             import '../lib';\nimport './data.json';\nexport * from './nothing.js';\nexport default () => 1;\n",
        )
        .file("a/data.json", "{}")
        .file("b/handler.ts", "import { three } from '../lib/names.js';\nimport './gone.ts';\nexport default () => 1;")
        .file("c/handler.client.js", "import { four } from './four.js';\nimport './gone.js';\nexport default () => 1;")
        .file("c/four.js", "export default 4;")
        .file("d/handler.js", "export default async () => (await import('./later.js')).x;")
        .file("lib/names.js", "export const one = 1, two = 2;\nimport './deeper.js';")
        .file("lib/index.js", "")
        .file("lib/db.js", "")
        .file("empty/a.txt", "");
    assert_problems(
        &site,
        &[
            &["a/handler.js:1:10 ", "`onne`", "did you mean `one`?"],
            &["a/handler.js:2:8 ", "has no default export", "in braces", "`one`, `two`"],
            &["a/handler.js:3:8 ", "nmaes.js", "did you mean \"../lib/names.js\"?"],
            &["a/handler.js:4:8 ", "Names.js", "did you mean \"../lib/names.js\"?"],
            &["a/handler.js:5:8 ", "no such file", "did you mean \"../lib/names.js\"?"],
            &["a/handler.js:6:8 ", "it is a folder without an index file"],
            &["a/handler.js:7:8 ", "./db.js", "did you mean \"../lib/db.js\"?"],
            &["a/handler.js:8:10 ", "`clint`", "did you mean `client`?"],
            &["a/handler.js:9:8 ", "@webqit/webfloo", "did you mean \"@webqit/webflo\"?"],
            &["a/handler.js:11:8 ", "data.json", "with { type: \"json\" }"],
            &["a/handler.js:12:15 ", "nothing.js", "there is no such file"],
            &["b/handler.ts:1:10 ", "`three`"],
            &["b/handler.ts:2:8 ", "gone.ts"],
            &["c/handler.client.js:1:10 ", "`four`", "import it without braces"],
            &["c/handler.client.js:2:8 ", "gone.js"],
            &["d/handler.js:1:42 ", "later.js", "there is no such file"],
            &["lib/names.js:2:8 ", "deeper.js"],
        ],
    );
}

#[test]
fn imports_that_work_are_left_alone() {
    let site = Site::new()
        .file("package.json", r#"{ "type": "module" }"#)
        .file(
            "node_modules/pkg/package.json",
            r#"{ "name": "pkg", "type": "module", "exports": "./index.js" }"#,
        )
        .file("node_modules/pkg/index.js", "export * from './more.js'; export default 1;")
        .file("node_modules/pkg/more.js", "export const more = 1;")
        .file(
            "app/handler.ts",
            "import type { T } from './types.ts';\nimport { I, value } from './types.ts';\n\
             import pkg, { more } from 'pkg';\nimport data from './data.json' with { type: 'json' };\n\
             import { LiveResponse } from '@webqit/webflo';\nimport { client } from 'liveline:sql';\n\
             import * as all from './round.js';\n\
             try { await import('./maybe.js'); } catch {}\n\
             await import('./perhaps.js').catch(() => {});\n\
             export default (i: I, t: T) => [value, pkg, more, data, LiveResponse, client, all];",
        )
        .file("app/types.ts", "export interface I {} export type T = 1; export const value: number = 1;")
        .file("app/data.json", "{}")
        .file("app/round.js", "export { a } from './trip.js'; export const b = 1;")
        .file("app/trip.js", "export { b } from './round.js'; export const a = 1;")
        .file(
            "app/live/handler.js",
            "import { a } from '../round.js';\nexport default live function f() { return a; }",
        )
        .file(
            "app/c/handler.client.js",
            "import 'https://example.com/x.js';\nimport { a } from '../round.js';\nexport default () => a;",
        );
    assert_fine(&site);
}

#[test]
fn syntax_errors_of_all_files_are_found_at_once() {
    let site = Site::new()
        .file("handler.js", "import './lib/a.js';\nimport './lib/b.ts';\nexport default () => 1;")
        .file("lib/a.js", "export const a = ;")
        .file("lib/b.ts", "const b: = 1;")
        .file("c/handler.client.js", "export default () => {\n  (\n};")
        .file("d/handler.ts", "\nexport default () => { let x: number = };");
    let found = problems(&site);
    assert_eq!(found.len(), 4, "{found:#?}");
    for file in ["lib/a.js:1:18 ", "lib/b.ts:1:10 ", "c/handler.client.js:3:1 ", "d/handler.ts:2:"] {
        assert!(
            found.iter().any(|it| it.starts_with(file) && it.contains("SyntaxError")),
            "{file}: {found:#?}"
        );
    }
}

#[test]
fn dev_and_serve_print_every_failing_import() {
    let site = Site::new().file(
        "handler.js",
        "import './one.js';\nimport './two.js';\nimport { x } from './three.js';\nexport default () => 1;",
    );
    let site = site.file("three.js", "export const y = 1;");

    let served = site.run("serve");

    assert_eq!(served.code, Some(1), "{}", served.output());
    for place in ["handler.js:1:8", "handler.js:2:8", "handler.js:3:10"] {
        assert!(served.stderr.contains(&format!("--> {place}\n")), "{place}: {}", served.stderr);
    }
}

// -- Pages --------------------------------------------------------------------------------------------

#[test]
fn broken_bindings_are_found_with_their_place() {
    let site = Site::new().file(
        "page.html",
        "<!doctype html>\n<!-- <p render='#nothing: x'> -->\n<h1 render=\"#txt: a\">x</h1>\n\
         <p render=\"#text: a;\n  ~href: a +; %on: b\"></p>\n<p render='#text: &quot;a'></p>\n\
         <ul render=\"#items: m of list / 'mesage'\"><template def=\"message\"><li render='?x: a'></li></template></ul>\n\
         <ul render=\"#items: m of list / 'empty'\"><template def=\"empty\">text</template></ul>\n\
         <ul render=\"#items: m from list / 'message'\"></ul>\n<a render=\"~onclick: a\"></a><b render=\"\"></b>\n\
         <input render='#text: a'>\n<style render='#text: a'></style>\n<script>'<p render=x>'</script>\n",
    );
    assert_problems(
        &site,
        &[
            &["page.html:3:13 ", "`#txt`", "#text"],
            &["page.html:5:3 ", "`~href: a +`", "ends too early"],
            &["page.html:6:12 ", "cannot be read"],
            &["page.html:7:13 ", "no template `mesage`", "did you mean 'message'?"],
            &["page.html:7:79 ", "`?x`"],
            &["page.html:8:13 ", "`empty` has no element"],
            &["page.html:9:13 ", "A list is written"],
            &["page.html:10:12 ", "`onclick` cannot be bound"],
            &["page.html:10:40 ", "is empty"],
            &["page.html:11:16 ", "<input> has no content"],
            &["page.html:12:16 ", "<style> cannot be bound"],
        ],
    );
}

#[test]
fn tags_that_do_not_end_are_found() {
    let site = Site::new().file("a/index.html", "<p>fine</p>\n<p render=\"#text: a>x</p>\n");
    assert_problems(&site, &[&["a/index.html:2:1 ", "has no end"]]);
}

#[test]
fn broken_comments_are_found() {
    let site = Site::new().file(
        "page.html",
        "<!doctype html>\n<p><?{ data.title }?> <!--{ a > b }--> <!-- {nothing --></p>\n<p><!--{ a + }--></p>\n<p><?{ a.b( }?></p>\n\
         <p><?{ a > b }?></p>\n",
    );
    assert_problems(
        &site,
        &[
            &["page.html:3:4 ", "ends too early"],
            &["page.html:4:4 ", "cannot be read"],
            &["page.html:5:4 ", "ends at its first `>`"],
        ],
    );
}

#[test]
fn bindings_of_every_kind_are_fine() {
    assert_fine(&Site::new().file(
        "page.html",
        "<h1 render=\"#text: data?.title ?? 'A; B'; ~title: `${a} / ${b}`; ~?hidden: !a; %on: a > 1 && b; &color: c\"></h1>\n\
         <div render='#html: markup'></div><ul render=\"#items: (m, i) of list.slice(0, 3) / 'message'\"></ul>\n\
         <ul render=\"#items: (k, v) in object / kind\"></ul><template def='message'><li render='#text: m'></li></template>",
    ));
}

// -- Folders ------------------------------------------------------------------------------------------

#[test]
fn a_folder_without_routes_is_a_problem() {
    type Files = &'static [(&'static str, &'static str)];
    let files: [(Files, &str, &str); 5] = [
        (&[], ".", "handler.js: export default"),
        (&[("app/.keep", "")], ".", "handler.js: export default"),
        (&[("index.js", FINE)], ".", "`index.js` is code like any other"),
        (&[("app/.keep", ""), ("handler.js", FINE)], ".", "has its routes there"),
        (&[("app/handler.js", FINE), ("lib/db.js", "")], "lib", "did you mean"),
    ];
    for (files, folder, help) in files {
        let mut site = Site::new();
        for (file, content) in files {
            site = site.file(file, content);
        }
        let site = site.serving(folder);
        let checked = site.run("check");
        assert_eq!(checked.code, Some(1), "{}", checked.output());
        assert!(checked.stderr.contains("there is nothing to serve in"), "{}", checked.output());
        assert!(checked.stderr.contains(help), "{help}: {}", checked.output());
    }
}

#[test]
fn a_folder_of_pages_or_static_files_is_none() {
    assert_fine(&Site::new().file("page.html", "<p>Hi"));
    assert_fine(&Site::new().file("app/.keep", "").file("public/index.html", "<p>Hi"));
}

#[test]
fn a_folder_that_is_not_there_may_be_misspelt() {
    let site = Site::new().file("shop/handler.js", FINE).serving("shpo");
    for command in ["check", "routes", "serve", "dev"] {
        let finished = site.run(command);
        assert_eq!(finished.code, Some(1), "{}", finished.output());
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.output());
        assert!(
            finished.stderr.contains("did you mean `") && finished.stderr.contains("shop`?"),
            "{}",
            finished.output()
        );
    }
}

#[test]
fn misspelt_file_names_are_found() {
    let site = Site::new()
        .file("handler.js", "import './handlers.js';\nexport default () => 1;")
        .file("handlers.js", "")
        .file("a/handler.sever.js", FINE)
        .file("b/handlers.ts", FINE)
        .file("c/Handler.js", FINE)
        .file("d/handler.es6", FINE)
        .file("e/pages.html", "<p>")
        .file("f/handler.test.js", "")
        .file("f/handler.css", "")
        .file("f/handler.js", FINE)
        .file("public/handlers.js", "")
        .file("node_modules/x/handlers.js", "");
    assert_problems(
        &site,
        &[
            &["a/handler.sever.js", "is ignored", "`handler.server.js`"],
            &["b/handlers.ts", "`handler.ts`"],
            &["c/Handler.js", "`handler.js`"],
            &["d/handler.es6", "`handler.js`"],
            &["e/pages.html", "`page.html`"],
        ],
    );
}

#[test]
fn parameters_of_other_frameworks_are_found() {
    let site = Site::new()
        .file("handler.js", FINE)
        .file("users/[id]/handler.js", FINE)
        .file("users/[id]/posts/handler.js", FINE)
        .file("files/[...path]/handler.js", FINE)
        .file("items/-/handler.js", FINE)
        .file("$lib/text.js", "");
    assert_problems(
        &site,
        &[&["files/[...path]", "one folder up"], &["users/[id]", "exactly this text", "is called `-`"]],
    );
}

#[test]
fn two_handlers_for_one_route_are_found() {
    let site = Site::new()
        .file("a/handler.js", FINE)
        .file("a/handler.ts", FINE)
        .file("b/handler.server.mjs", FINE)
        .file("b/handler.server.tsx", FINE)
        .file("c/handler.js", FINE)
        .file("c/handler.server.js", FINE)
        .file("d/page.html", "<p>")
        .file("d/index.html", "<p>");
    assert_problems(
        &site,
        &[
            &["a/handler.ts", "`handler.js` beside it"],
            &["b/handler.server.tsx", "`handler.server.mjs` beside it"],
            &["d/index.html", "`page.html` beside it"],
        ],
    );
}

// -- What people read ---------------------------------------------------------------------------------

#[test]
fn problems_have_an_excerpt_and_their_place_on_a_line_of_its_own() {
    let long = format!("export function Get() {{ return '{}\u{1b}[31m'; }}", "x".repeat(300));
    let site = Site::new().file("handler.js", long).file("a/handler.js", "\texport const Post = () => 1;");
    let checked = site.run("check");
    assert_eq!(checked.code, Some(1), "{}", checked.output());
    assert!(checked.stderr.contains("\n  --> handler.js:1:17\n"), "{}", checked.stderr);
    assert!(
        checked.stderr.contains("\n  1 | \texport const Post = () => 1;\n    | \t             ^\n"),
        "{}",
        checked.stderr
    );
    assert!(checked.stderr.contains("\n  help: did you mean `GET`?\n"), "{}", checked.stderr);
    assert!(checked.stderr.lines().all(|line| line.chars().count() < 130), "{}", checked.stderr);
    assert!(!checked.stderr.contains('\u{1b}'), "{}", checked.stderr);
    assert!(checked.stderr.trim_end().ends_with("2 problems"), "{}", checked.stderr);
}

// -- Routes -------------------------------------------------------------------------------------------

fn rows(finished: &Finished) -> Vec<String> {
    finished.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn routes_reads_the_loaded_modules() {
    let site = Site::new()
        .file("handler.js", "export * from './all.js';\n// export const DELETE = 1;\nexport const text = 'export const PUT = 1';")
        .file("all.js", "export const POST = () => 1;\nexport const { GET, QUERY } = { GET: () => 1, QUERY: 1 };")
        .file("a/handler.ts", "const answer = (): number => 1;\nexport { answer as default, answer as PATCH };")
        .file("a/handler.client.js", "export { default } from './one.js';")
        .file("a/one.js", FINE)
        .file("b/page.html", "<p>");
    let routes = site.run("routes");
    assert_eq!(routes.code, Some(0), "{}", routes.output());
    assert_eq!(
        rows(&routes),
        [
            "METHOD PATH FILE LAYER",
            "GET,POST / handler.js server",
            "PATCH,* /a a/handler.ts server",
            "* /a a/handler.client.js client",
            "GET /b b/page.html page",
        ]
    );
}

#[test]
fn routes_prints_handlers_that_do_not_load() {
    let site = Site::new().file("handler.js", FINE).file("a/handler.js", "throw new Error('no luck');");
    let routes = site.run("routes");
    assert_eq!(routes.code, Some(1), "{}", routes.output());
    assert_eq!(rows(&routes)[1..], ["* / handler.js server", "? /a a/handler.js server"]);
    assert!(
        routes.stderr.contains("no luck") && routes.stderr.contains("--> a/handler.js:1:7\n"),
        "{}",
        routes.output()
    );
}

#[test]
fn check_ignores_the_port() {
    let site = Site::new().file("handler.js", "export default () => 1");

    let checked = site.run_by(&executable(), &[("PORT", "abc")]).run("check");

    assert_eq!(checked.code, Some(0), "{}", checked.output());
}

#[test]
fn a_caught_import_hides_no_error() {
    let site = Site::new()
        .file("a/handler.js", "await import(\"./missing.js\").catch(() => {});\nexport default () => 1;\n")
        .file("b/handler.js", "throw new RangeError(\"at load\");\n");

    let checked = site.run("check");

    let said = checked.output();
    assert_eq!(checked.code, Some(1), "{said}");
    assert!(said.contains("at load") && said.contains("b/handler.js:1"), "{said}");
    assert!(!said.contains("missing.js"), "{said}");
}
