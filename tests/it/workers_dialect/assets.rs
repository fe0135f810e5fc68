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
