//! Answers that a page of the app cannot show: they are kept for the document that the browser loads. And the pages that
//! people get for errors.

use crate::support::{Answer, Host, Site};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

const ERROR_PAGE: &str = r##"<title render="#text: data.title"></title><p id="status" render="#text: data.status"></p>
<p id="message" render="#text: data.message"></p><p id="path" render="#text: data.path"></p>"##;

fn site() -> Site {
    Site::new()
        .file(
            "app/handler.js",
            "export default (event, next) => next.stepname ? next() : { title: 'home' };",
        )
        .file("app/page.html", r##"<h1 render="#text: data?.title"></h1>"##)
        .file("app/other/page.html", r##"<h2 render="#text: data?.title"></h2>"##)
        .file(
            "app/other/handler.js",
            "let runs = 0;\nexport default (event, next) => next.stepname ? next() : { title: `${event.request.method} ${++runs}` };",
        )
        .file(
            "app/html/handler.js",
            "export default () => new Response('<p>of my own', { headers: { 'content-type': 'text/html' } });",
        )
        .file("app/throws/handler.js", "export default () => { throw new Error('SECRET'); };")
        .file("app/bare/handler.js", "export default () => new Response(null, { status: 409 });")
        .file(
            "app/invalid/handler.js",
            "export default () => Response.json({ title: 'no name' }, { status: 422 });",
        )
        .file("app/error.html", ERROR_PAGE)
        .file("app/other/error.html", "<title>below other</title>")
}

/// What a page of the app asks for, which shows the page `shown`.
fn ask(host: &Host, method: &str, path: &str, shown: &str) -> Answer {
    let request = host.request(method, path).header("accept", "application/json");
    request.header("x-accept-live", "*").header("x-live-page", shown).send()
}

/// The document that the browser loads after an answer.
fn load(host: &Host, path: &str, answer: &Answer) -> Answer {
    let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap_or_default();
    host.request("GET", path).header("accept", BROWSER).header("cookie", cookie).send()
}

#[test]
fn a_state_of_another_page_is_kept_as_a_document_and_its_handler_runs_once() {
    let host = site().serve();
    for (method, expected) in [("POST", "POST 1"), ("DELETE", "DELETE 2"), ("GET", "GET 3")] {
        let answer = ask(&host, method, "/other", "/");

        assert_eq!(answer.json()["title"], expected);
        assert_eq!(answer.header("x-live-page"), Some("/other"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let document = load(&host, "/other", &answer);
        assert_eq!(document.header("content-type"), Some("text/html;charset=UTF-8"));
        assert!(document.text().contains(&format!("<h2 render=\"#text: data?.title\">{expected}</h2>")));
        assert_eq!(document.header("cache-control"), Some("no-store"));
        assert!(document.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
    }
    // Each is given once, and to its own address.
    let answer = ask(&host, "POST", "/other", "/");
    assert!(load(&host, "/other?x", &answer).text().contains("GET 5"));
    assert!(load(&host, "/other", &answer).text().contains("POST 4"));
    assert!(load(&host, "/other", &answer).text().contains("GET 6"));
}

#[test]
fn a_state_of_the_page_that_is_shown_is_all_there_is() {
    let host = site().serve();
    let answer = ask(&host, "POST", "/other", "/other");
    assert_eq!((answer.json()["title"].as_str(), answer.header("set-cookie")), (Some("POST 1"), None));
    let answer = ask(&host, "POST", "/invalid", "/");
    assert_eq!(
        (answer.status, answer.header("x-live-page"), answer.header("set-cookie")),
        (422, Some("/"), None)
    );
}

#[test]
fn what_is_no_state_is_kept_as_it_is() {
    let host = site().serve();
    let answer = ask(&host, "POST", "/html", "/");
    assert_eq!((answer.text(), answer.header("x-live-page")), ("<p>of my own", None));
    assert_eq!(load(&host, "/html", &answer).text(), "<p>of my own");
}

#[test]
fn programs_get_no_documents() {
    let host = site().serve();
    for path in ["/other", "/html", "/throws", "/nowhere"] {
        assert_eq!(host.request("POST", path).send().header("set-cookie"), None, "{path}");
    }
}

#[test]
fn people_get_the_nearest_error_page_and_programs_what_they_always_got() {
    let host = site().serve();
    for (method, path, status, text) in [
        (
            "GET",
            "/nowhere",
            404,
            "<p id=\"message\" render=\"#text: data.message\">There is no such page here.</p>",
        ),
        ("POST", "/throws", 500, "Something went wrong here."),
        ("GET", "/bare", 409, "<p id=\"path\" render=\"#text: data.path\">/bare</p>"),
        ("GET", "/other/nowhere", 404, "<title>below other</title>"),
    ] {
        let seen = host.request(method, path).header("accept", BROWSER).send();
        assert_eq!(seen.status, status, "{path}");
        assert!(seen.text().contains(text), "{path}: {seen:?}");
        assert!(!seen.text().contains("SECRET"), "{seen:?}");

        let answer = ask(&host, method, path, "/");
        assert_eq!((answer.status, answer.header("x-live-page")), (status, None), "{path}");
        assert!(!answer.text().contains("<title>"), "{path}: {answer:?}");
        let document = load(&host, path, &answer);
        assert_eq!(document.status, status, "{path}");
        assert!(document.text().contains(text), "{path}: {document:?}");

        let program = host.request(method, path).send();
        assert_eq!(program.status, status, "{path}");
        assert!(!program.text().contains("<title>"), "{path}: {program:?}");
    }
    assert_eq!(host.get("/throws").text(), "Internal Server Error\n");
}

#[test]
fn the_error_page_of_a_site_may_be_public() {
    let host = Site::new()
        .file("app/handler.js", "export default (event, next) => next.stepname ? next() : 1;")
        .file("public/error.html", ERROR_PAGE)
        .serve();
    let seen = host.request("GET", "/nowhere").header("accept", BROWSER).send();
    assert_eq!(seen.status, 404);
    assert!(seen.text().contains("<p id=\"status\" render=\"#text: data.status\">404</p>"), "{seen:?}");
}

#[test]
fn pages_ask_which_page_belongs_to_a_path() {
    let host = site().serve();
    for (path, page) in [("/", Some("/")), ("/other/deep", Some("/other")), ("/nowhere", Some("/"))] {
        let answer = host.get(&format!("/.liveline/page{path}"));
        assert_eq!((answer.status, answer.header("x-live-page")), (204, page), "{path}");
    }
}
