//! Static files of Workers.

use super::worker;
use crate::support::Site;

const MODULE: &str = "export default { fetch(request, env) {
    const { pathname } = new URL(request.url);
    return pathname === '/own' ? env.ASSETS.fetch(new URL('/style.css', request.url)) : new Response(`worker ${pathname}`);
  } };";

fn site(settings: &str) -> Site {
    worker(&format!("[assets]\ndirectory = \"dist\"\nbinding = \"ASSETS\"\n{settings}"), MODULE)
        .file("dist/index.html", "home")
        .file("dist/about.html", "about")
        .file("dist/docs/index.html", "docs")
        .file("dist/style.css", "x {}")
        .file("dist/404.html", "not there")
}

#[test]
fn files_come_before_the_worker_and_pages_have_one_address() {
    let host = site("").serve();

    assert_eq!(host.get("/").text(), "home");
    assert_eq!(host.get("/style.css").text(), "x {}");
    assert_eq!(host.get("/about").text(), "about");
    assert_eq!(host.get("/docs/").text(), "docs");
    for (path, address) in [
        ("/about.html", "/about"),
        ("/about/", "/about"),
        ("/docs", "/docs/"),
        ("/docs/index.html", "/docs/"),
        ("/index.html?q=1", "/?q=1"),
    ] {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.header("location")), (307, Some(address)), "{path}");
    }
    assert_eq!(host.get("/missing").text(), "worker /missing");
    assert_eq!(host.request("POST", "/style.css").send().text(), "worker /style.css");
    assert_eq!(host.get("/own").text(), "x {}");
}

#[test]
fn the_worker_comes_first_where_it_is_asked_for() {
    let host = site("run_worker_first = true\n").serve();
    assert_eq!(host.get("/style.css").text(), "worker /style.css");
    let host = site("run_worker_first = [\"/docs/*\", \"!/docs/index.html\"]\n").serve();
    assert_eq!(host.get("/docs/").text(), "worker /docs/");
    assert_eq!(host.get("/docs/index.html").status, 307);
    assert_eq!(host.get("/style.css").text(), "x {}");
}

#[test]
fn what_several_rules_set_of_one_header_is_joined() {
    let rules = "/*\n  X-A: all\n  Cache-Control: private\n/docs/*\n  x-a: docs :splat\n/style.css\n  ! X-A\n  X-A: own\n";
    let host = site("").file("dist/_headers", rules).serve();

    for (path, value) in [("/", "all"), ("/docs/", "all, docs "), ("/style.css", "own")] {
        let answer = host.get(path);
        assert_eq!(answer.header("x-a").map(str::trim_end), Some(value.trim_end()), "{path}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("private"), "{path}");
    }
}

#[test]
fn pages_of_an_application_are_its_first_page() {
    let host = site("not_found_handling = \"single-page-application\"\n").serve();
    let navigation = host.request("GET", "/any/route").header("sec-fetch-mode", "navigate").send();
    assert_eq!((navigation.status, navigation.text()), (200, "home"));
    assert_eq!(host.get("/any/route").text(), "worker /any/route");
}

#[test]
fn without_a_worker_what_is_missing_has_a_page() {
    let configuration = "[assets]\ndirectory = \"dist\"\nnot_found_handling = \"404-page\"\n";
    let host = Site::new()
        .file("wrangler.toml", configuration)
        .file("functions/api.js", "export default () => new Response('api');")
        .file("dist/404.html", "not there")
        .file("dist/page.html", "page")
        .serve();

    let missing = host.get("/missing/page");
    assert_eq!((missing.status, missing.text()), (404, "not there"));
    assert_eq!(host.get("/page").text(), "page");
    assert_eq!(host.get("/api").text(), "api");
}

#[test]
fn with_a_list_of_the_workers_paths_the_files_answer_all_others() {
    let settings = "not_found_handling = \"single-page-application\"\nrun_worker_first = [\"/api/*\"]\n";
    let host = site(settings).serve();

    assert_eq!(host.get("/api/x").text(), "worker /api/x");
    assert_eq!(host.request("POST", "/api/x").send().text(), "worker /api/x");
    assert_eq!(host.get("/any/route").text(), "home");
    assert_eq!(host.request("POST", "/any/route").send().status, 405);
}

/// A build whose Worker is in the folder of its static files.
fn built(main: &str, configuration: &str) -> Site {
    let head = "name = \"app\"\ncompatibility_date = \"2026-04-07\"\n";
    Site::new()
        .file("wrangler.toml", format!("{head}{configuration}"))
        .file(
            main,
            "export default { fetch: (request) => new Response(`worker ${new URL(request.url).pathname}`) };",
        )
        .file("dist/style.css", "x {}")
        .file("dist/style.css.map", "{}")
        .file("dist/private/a.txt", "private")
        .file("dist/.assetsignore", "*.map\n/private/\n")
}

#[test]
fn a_worker_in_the_folder_of_files_is_not_served_and_neither_is_what_the_project_lists() {
    let assets = "[assets]\ndirectory = \"dist\"\nbinding = \"ASSETS\"\n";
    for main in ["dist/index.js", "dist/_worker.js/index.js"] {
        let host = built(main, &format!("main = \"{main}\"\n{assets}")).serve();
        assert_eq!(host.get("/style.css").text(), "x {}");
        for path in ["/index.js", "/_worker.js/index.js", "/style.css.map", "/private/a.txt"] {
            assert_eq!(host.get(path).text(), format!("worker {path}"));
        }
    }
}

/// As in wrangler's `pages-dev-util.ts`.
#[test]
fn the_list_of_routes_of_pages_says_which_paths_code_answers() {
    let routes =
        r#"{ "version": 1, "include": ["/api/*", "/page", "/*.json"], "exclude": ["/api/files/*"] }"#;
    let built = |routes: &str| {
        built("dist/_worker.js", "pages_build_output_dir = \"dist\"\n").file("dist/_routes.json", routes)
    };
    let host = built(routes).serve();
    for path in ["/api", "/api/", "/api/a/b", "/page", "/page/", "/a/b.json"] {
        assert_eq!(host.get(path).text(), format!("worker {path}"));
    }
    assert_eq!(host.get("/style.css").status, 200);
    for path in ["/apis", "/api/files", "/api/files/a.json", "/page/a", "/style.css", "/ajson"] {
        assert!(!host.get(path).text().starts_with("worker"), "{path}");
    }
    // A list that cannot be used excludes nothing.
    for routes in
        ["{", r#"{ "version": 1, "include": [], "exclude": [] }"#, r#"{ "include": ["/a"], "exclude": [] }"#]
    {
        assert_eq!(built(routes).serve().get("/style.css").text(), "worker /style.css", "{routes}");
    }
    let host = Site::new()
        .file("wrangler.toml", "name = \"app\"\npages_build_output_dir = \"dist\"\n")
        .file(
            "functions/[[all]].js",
            "export const onRequest = ({ request }) => new Response(`function ${request.method}`);",
        )
        .file("dist/_routes.json", r#"{ "version": 1, "include": ["/*"], "exclude": ["/*.css"] }"#)
        .file("dist/a.css", "x {}")
        .serve();
    assert_eq!(host.get("/a").text(), "function GET");
    assert_eq!(host.get("/a.css").text(), "x {}");
}

#[test]
fn advanced_mode_of_pages_is_the_worker_in_its_folder() {
    for main in ["dist/_worker.js", "dist/_worker.js/index.js"] {
        let site = built(main, "pages_build_output_dir = \"dist\"\n");
        let host =
            site.file("functions/a.js", "export const onRequest = () => new Response('function');").serve();
        for path in ["/a", "/_worker.js", "/_worker.js/index.js", "/style.css"] {
            assert_eq!(host.get(path).text(), format!("worker {path}"), "{main}");
        }
    }
}
