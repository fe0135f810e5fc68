//! From a URL to the handlers that are asked, in order.

use serde_json::{Value, json};

use crate::support::{Host, Site, serve};

/// A handler that delegates and adds its name to the answer, which becomes the list of the handlers that ran.
const ASKS_ON: &str = r#"
    export default async function (event, next) {
      const rest = next.stepname ? await next() : undefined;
      const below = Array.isArray(rest) ? rest : [];
      return [`${this.dirname} at ${this.pathname}`, ...below];
    }"#;

/// A host with a delegating handler in each of these files.
fn asking(files: &[&str]) -> Host {
    files.iter().fold(Site::new(), |site, file| site.file(file, ASKS_ON)).serve()
}

#[track_caller]
fn trail(host: &Host, path: &str) -> Value {
    let answer = host.get(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

#[test]
fn every_handler_on_the_way_is_asked_root_first() {
    let host = asking(&["handler.server.js", "products/handler.server.js", "products/-/handler.server.js"]);

    assert_eq!(
        trail(&host, "/products/7"),
        json!(["/ at /", "/products at /products", "/products/- at /products/7"])
    );
    assert_eq!(trail(&host, "/products"), json!(["/ at /", "/products at /products"]));
    assert_eq!(trail(&host, "/"), json!(["/ at /"]));
}

#[test]
fn a_folder_without_handler_is_passed_through() {
    let host = asking(&["handler.server.js", "a/b/handler.server.js"]);

    assert_eq!(trail(&host, "/a/b"), json!(["/ at /", "/a/b at /a/b"]));
}

#[test]
fn the_root_needs_no_handler() {
    let host = asking(&["a/handler.server.js"]);

    assert_eq!(trail(&host, "/a"), json!(["/a at /a"]));
    assert_eq!(host.get("/").status, 404);
}

#[test]
fn a_wildcard_with_a_handler_wins_over_a_folder_without_one() {
    let host = asking(&["-/handler.server.js", "a/b/handler.server.js"]);

    assert_eq!(trail(&host, "/a/b"), json!(["/- at /a"]));
}

#[test]
fn a_name_wins_over_the_wildcard() {
    let host = asking(&["-/handler.js", "a/handler.js"]);

    assert_eq!(trail(&host, "/a"), json!(["/a at /a"]));
    assert_eq!(trail(&host, "/b"), json!(["/- at /b"]));
}

#[test]
fn the_server_handler_wins_over_the_plain_one() {
    let site = Site::new()
        .file("handler.server.js", r#"export default () => "server""#)
        .file("handler.js", r#"export default () => "plain""#)
        .file("handler.client.js", r#"export default () => "client""#)
        .file("handler.worker.js", r#"export default () => "worker""#);

    assert_eq!(site.serve().get("/").text(), "server");
}

#[test]
fn a_client_handler_does_not_answer() {
    let host = Site::new().file("a/handler.client.js", r#"export default () => "client""#).serve();

    assert_eq!(host.get("/a").status, 404);
}

#[test]
fn all_extensions_answer() {
    let host = Site::new()
        .file("js/handler.js", r#"export default () => "js""#)
        .file("mjs/handler.server.mjs", r#"export default () => "mjs""#)
        .serve();

    assert_eq!(host.get("/js").text(), "js");
    assert_eq!(host.get("/mjs").text(), "mjs");
}

#[test]
fn a_project_keeps_its_routes_in_app() {
    let host = Site::new()
        .file("app/a/handler.js", r#"export default () => "app""#)
        .file("handler.js", r#"export default () => "not a route""#)
        .serve();

    assert_eq!(host.get("/a").text(), "app");
    assert_eq!(host.get("/").status, 404);
}

#[test]
fn escaped_segments_are_compared_unescaped() {
    let host = Site::new().file("a b/handler.js", r#"export default () => "spaced""#).serve();

    assert_eq!(host.get("/a%20b").text(), "spaced");
    assert_eq!(host.get("/a%20b/").text(), "spaced");
}

// -- Methods ------------------------------------------------------------------------------------------

#[test]
fn exports_are_methods_and_default_is_any_other() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            export const GET = () => "get";
            export function DELETE() { return "delete"; }
            export default (event) => `default for ${event.request.method}`;"#,
        )
        .serve();

    let answer = |method| host.request(method, "/").send().text().to_owned();
    assert_eq!(answer("GET"), "get");
    assert_eq!(answer("DELETE"), "delete");
    assert_eq!(answer("PATCH"), "default for PATCH");
}

#[test]
fn another_method_is_a_405_that_names_the_right_ones() {
    let host = Site::new()
        .file(
            "handler.js",
            "export const GET = () => 1; export const PUT = () => 2; export const helper = 3;",
        )
        .serve();

    let answer = host.request("POST", "/").send();

    assert_eq!(answer.status, 405);
    let allowed = answer.header("allow").expect("what is allowed");
    let mut allowed: Vec<_> = allowed.split(',').map(str::trim).collect();
    allowed.sort();
    assert_eq!(allowed, ["GET", "HEAD", "PUT"]);
}

#[test]
fn head_is_answered_by_get_without_the_body() {
    let host = Site::new()
        .file("handler.js", r#"export const GET = () => new Response("12345", { headers: { "x-a": "1" } });"#)
        .serve();

    let answer = host.request("HEAD", "/").send();

    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(answer.header("x-a"), Some("1"));
}

// -- next ---------------------------------------------------------------------------------------------

#[test]
fn next_knows_what_is_left_of_the_path() {
    let site = Site::new().file(
        "a/handler.js",
        r#"
        export default function (event, next) {
          return { step: next.stepname ?? null, rest: next.pathname, name: this.stepname };
        }"#,
    );
    let host = site.serve();

    assert_eq!(host.get("/a/b/c").json(), json!({ "step": "b", "rest": "b/c", "name": "a" }));
    assert_eq!(host.get("/a").json(), json!({ "step": null, "rest": "", "name": "a" }));
}

#[test]
fn next_returns_what_the_step_produced() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            export default async function (event, next) {
              const below = await next();
              return below instanceof Response ? { response: below.status } : { value: below ?? null };
            }"#,
        )
        .file("value/handler.js", "export default () => [1, 2]")
        .file("response/handler.js", "export default () => new Response(null, { status: 201 })");
    let host = site.serve();

    assert_eq!(host.get("/value").json(), json!({ "value": [1, 2] }));
    assert_eq!(host.get("/response").json(), json!({ "response": 201 }));
    // Past the last step stand the static files.
    assert_eq!(host.get("/nothing").json(), json!({ "response": 404 }));
}

/// `/` returns how often the root's handler ran, before the answer of the step below; `/go?to=URL` re-routes to URL.
fn rerouting() -> Host {
    Site::new()
        .file(
            "handler.js",
            r#"
            let asked = 0;
            export default async function (event, next) {
              asked += 1;
              const below = await next();
              return typeof below === "string" ? `${asked}:${below}` : below;
            }"#,
        )
        .file(
            "go/handler.js",
            r#"
            export default async function (event, next, fetch) {
              if (next.stepname) return await next();
              const to = event.url.searchParams.get("to");
              try {
                if (event.url.searchParams.has("fetch")) return await fetch(to);
                return await next(to);
              } catch (e) {
                return { error: `${e.message}` };
              }
            }"#,
        )
        .file("go/below/handler.js", r#"export default (event) => `below ${event.url.search}`"#)
        .file("there/handler.js", r#"export default (event) => `there by ${event.request.method}`"#)
        .serve()
}

#[test]
fn an_absolute_reroute_starts_again_at_the_root() {
    let host = rerouting();

    // The root is asked once for the request, and once more for the internal one: a guard there sees both.
    assert_eq!(host.get("/go?to=/there").text(), "2:2:there by GET");
}

#[test]
fn a_relative_reroute_starts_where_it_is() {
    let host = rerouting();

    assert_eq!(host.get("/go?to=below%3Fq%3D1").text(), "1:below ?q=1");
}

#[test]
fn a_reroute_takes_the_default_export() {
    let host = rerouting();

    assert_eq!(host.request("POST", "/go?to=/there").send().text(), "2:2:there by POST");
}

#[test]
fn the_fetch_of_a_handler_reaches_its_own_site() {
    let host = rerouting();

    assert_eq!(host.get("/go?fetch&to=/there").text(), "2:2:there by GET");
}

#[test]
fn a_reroute_cannot_leave_the_site() {
    let host = rerouting();

    for target in ["../../..", "https://example.com/"] {
        let answer = host.get(&format!("/go?to={target}"));
        assert!(answer.json()["error"].is_string(), "{target}: {answer:?}");
    }
}

#[test]
fn a_reroute_may_be_a_request() {
    let site = Site::new()
        .file(
            "a/handler.js",
            r#"
            export default (event, next) =>
              next(new Request(new URL("/b", event.url), { method: "PUT", body: "carried" }));"#,
        )
        .file("b/handler.js", "export async function PUT(event) { return await event.request.text(); }");

    assert_eq!(site.serve().get("/a").text(), "carried");
}

#[test]
fn a_reroute_without_the_body_is_without_its_headers() {
    let site = Site::new()
        .file("a/handler.js", "export const POST = (event, next) => next('/b', { method: 'GET' });")
        .file(
            "b/handler.js",
            "export const GET = ({ request: { headers } }) =>
               ['content-type', 'content-length', 'content-language', 'x-other'].map((name) => headers.has(name));",
        );
    let host = site.serve();

    let post =
        host.request("POST", "/a").header("content-language", "en").header("x-other", "1").json(&json!({}));
    assert_eq!(post.send().json(), json!([false, false, false, true]));
}

// -- handlers that do not ask for the rest of the path -----------------------------------------------------------------

/// Files of `public/`, and a handler at the root.
fn with_files(handler: &str) -> Site {
    Site::new()
        .file("app/handler.js", handler)
        .file("public/style.css", "file")
        .file("public/docs/index.html", "file")
        .file("public/docs/.hidden", "hidden")
        .file("public/a b.txt", "file")
}

/// What a path is answered with: by the handler, or by a file.
fn answered(host: &Host, path: &str) -> String {
    host.get(path).text().to_owned()
}

#[test]
fn files_come_before_a_handler_that_does_not_ask_for_the_rest() {
    for handler in [
        "export default () => 'handler';",
        "export default async (event) => 'handler';",
        "export default function (event, next) { return 'handler'; }",
        "export const GET = (event) => 'handler';",
        "export function* GET(event) { return 'handler'; }",
        "const GET = async function (event) { return 'handler'; // next.stepname\n};\nexport { GET };",
        "class Site { page(event) { return 'handler'; } }\nexport default new Site().page;",
        "const module = { default: (event) => 'handler /* next() */'.slice(0, 7) };\nexport default module.default;",
        "const wrap = (handler) => (event) => handler(event);\nexport default wrap(() => 'handler');",
        "export default async (event, next) => event.url.pathname === '/in' ? 'in' : await next('/in') === 'in' && 'handler';",
        "export default (event, {}) => 'handler';",
    ] {
        let host = with_files(handler).serve();

        assert_eq!(answered(&host, "/style.css"), "file", "{handler}");
        assert_eq!(answered(&host, "/docs/"), "file", "{handler}");
        assert_eq!(answered(&host, "/a%20b.txt?x=1"), "file", "{handler}");
        for path in ["/", "/none.css", "/docs/.hidden", "/docs%2findex.html", "/style.css/", "/style.css/x"] {
            let text = answered(&host, path);
            assert!(text == "handler" || text == "\"handler\"", "{path}: {text} by {handler}");
        }
        let head = host.request("HEAD", "/style.css").send();
        assert_eq!(
            (head.status, head.header("content-type")),
            (200, Some("text/css;charset=UTF-8")),
            "{handler}"
        );
        assert_eq!(host.get("/favicon.ico").status, 404, "{handler}");
    }
}

#[test]
fn handlers_in_typescript_and_from_other_modules_are_read_as_well() {
    let site = with_files("export { answer as GET } from './lib.ts';")
        .file("app/lib.ts", "interface Next { stepname?: string }\nexport const answer = (event: { next?: Next }): string => 'handler';");
    let host = site.serve();

    assert_eq!((answered(&host, "/style.css"), answered(&host, "/x")), ("file".into(), "handler".into()));
}

#[test]
fn a_handler_that_asks_for_the_rest_sees_requests_for_files() {
    for handler in [
        "export default async (event, next) => { await next(); return 'handler'; };",
        "export default (event, next) => next.stepname === undefined ? 'root' : 'handler';",
        "export default (event, { stepname }) => stepname ? 'handler' : 'root';",
        "export default (...all) => all[1].stepname ? 'handler' : 'root';",
        "export default function () { return arguments[1].stepname ? 'handler' : 'root'; }",
        "const guard = (event, next) => 'handler';\nexport default (event, next) => guard(event, next);",
        "export default ((event) => 'handler').bind(null);",
    ] {
        let host = with_files(handler).serve();

        assert_eq!(answered(&host, "/style.css"), "handler", "{handler}");
        assert_eq!(answered(&host, "/favicon.ico"), "handler", "{handler}");
    }
}

#[test]
fn only_a_look_at_a_file_goes_past_a_handler() {
    let host = with_files("export default (event) => event.request.method;").serve();

    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(host.request(method, "/style.css").send().text(), method);
    }
    let guarded = Site::new()
        .file(
            "app/handler.js",
            "export default async (event, next) => event.url.searchParams.has('in') ? next() : 'guard';",
        )
        .file("app/in/handler.js", "export default (event) => 'handler';")
        .file("public/in/style.css", "file")
        .serve();
    assert_eq!(answered(&guarded, "/in/style.css"), "guard");
    assert_eq!(answered(&guarded, "/in/style.css?in"), "file");
    assert_eq!(answered(&guarded, "/in/none.css?in"), "handler");
    // One that takes nothing at all closes its folder.
    let closed = Site::new()
        .file("app/in/handler.js", "export default () => 'closed';")
        .file("public/in/style.css", "file")
        .serve();
    assert_eq!(answered(&closed, "/in/style.css"), "closed");
}

#[test]
fn dev_warns_once_where_a_folder_is_never_reached() {
    let host = with_files("export default (event) => 'handler';")
        .file("app/about/handler.js", "export default () => 'about';")
        .dev();

    for path in ["/about", "/about", "/style.css", "/nowhere", "/about"] {
        host.request("POST", path).send();
        host.get(path);
    }

    let line = host.log.next("there is a folder for /about");
    assert!(line.contains("WARN") && line.contains("next.stepname"), "{line}");
    let log = host.log.text();
    assert_eq!(log.matches("never asks for the rest").count(), 1, "{log}");
}

#[test]
fn a_method_runs_no_export_that_is_not_a_method() {
    let host = serve(
        r#"
        let deleted = false;
        export function deleteEverything() { deleted = true; return "deleted"; }
        export const GET = () => ({ deleted });"#,
    );

    let answer = host.request("deleteEverything", "/").send();

    assert!(matches!(answer.status, 404 | 405), "{answer:?}");
    assert_eq!(host.get("/").json(), json!({ "deleted": false }));
}

#[test]
fn a_reroute_may_carry_a_url_in_its_query() {
    let host = Site::new()
        .file("a/handler.js", r#"export default (event, next) => next("/ok?back=http://x/")"#)
        .file("ok/handler.js", r#"export default (event) => event.url.searchParams.get("back")"#)
        .serve();

    let answer = host.get("/a");

    assert_eq!((answer.status, answer.text()), (200, "http://x/"));
}

#[test]
fn a_handlers_fetch_is_a_get_of_its_own() {
    let host = Site::new()
        .file("a/handler.js", r#"export const POST = (event, next, fetch) => fetch("/other")"#)
        .file("other/handler.js", "export default (event) => event.request.method")
        .serve();

    let answer = host.request("POST", "/a").body("text").send();

    assert_eq!((answer.status, answer.text()), (200, "GET"));
}

#[test]
fn no_step_of_a_path_answers_after_it_has_returned() {
    let host = Site::new()
        .file("handler.js", "export default (event, next) => next();")
        .file(
            "step/handler.js",
            r#"export default (event) => {
              event.waitUntil(Promise.resolve().then(() => event.respondWith("late")));
              return "in time";
            };"#,
        )
        .serve();

    assert_eq!(host.get("/step").text(), "in time");

    host.log.next("the handler has already answered by returning");
}
