//! Pages of other sites that send requests with the session of their visitor.

use serde_json::json;

use crate::support::{Host, Request, Site, handler};

const SAVE: &str = r#"
    export default async function (event, next) {
      if (next.stepname) return await next();
      if (event.request.method === "GET") await event.session.set("a", 1);
      return { done: event.request.method };
    }"#;

/// Sends a request with a session, and the headers by which a browser describes the page that sends it.
#[track_caller]
fn send(host: &Host, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    let cookie = host.get("/").session();
    let request = host.request(method, path).header("cookie", &cookie);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send().status
}

#[test]
fn a_page_of_another_site_changes_nothing_in_its_visitors_name() {
    let host = Site::new().file("handler.js", SAVE).serve();

    for method in ["POST", "PUT", "PATCH", "DELETE", "ANYTHING"] {
        for headers in [
            &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")][..],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://other.shop.example")],
            &[("origin", "https://evil.example")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site"), ("origin", "null")],
        ] {
            assert_eq!(send(&host, method, "/", headers), 403, "{method} {headers:?}");
        }
    }
}

#[test]
fn the_refusal_names_the_remedy() {
    let host = Site::new().file("handler.js", SAVE).serve();
    let cookie = host.get("/").session();

    let answer =
        host.request("POST", "/").header("cookie", &cookie).header("origin", "https://a.example").send();

    for word in ["--allow-origin", "csrf = false", "--origin", "--trust-proxy"] {
        assert!(answer.text().contains(word), "{answer:?}");
    }
    assert!(!host.log.text().contains("WARN") && !host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn the_sites_own_pages_its_user_and_programs_are_served() {
    let host = Site::new().file("handler.js", SAVE).serve();
    let own = format!("http://{}", host.address());

    for headers in [
        &[("sec-fetch-site", "same-origin"), ("origin", &*own)][..],
        // A proxy in front may have another name.
        &[("sec-fetch-site", "same-origin"), ("origin", "https://shop.example")],
        &[("sec-fetch-site", "none")],
        &[("origin", &own)],
        &[],
    ] {
        assert_eq!(send(&host, "POST", "/", headers), 200, "{headers:?}");
    }
}

#[test]
fn requests_that_only_ask_or_carry_no_session_are_served() {
    let host = Site::new().file("handler.js", SAVE).serve();
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];

    for method in ["GET", "HEAD", "QUERY", "OPTIONS"] {
        assert_eq!(send(&host, method, "/", &foreign), 200, "{method}");
    }
    let without = host.request("POST", "/").header("origin", "https://evil.example");
    assert_eq!(without.header("cookie", "other=1; __sessid=forged.00").send().status, 200);
}

#[test]
fn allowed_origins_are_served() {
    let host = Site::new().file("handler.js", SAVE).arg("--allow-origin").arg("https://app.example").serve();

    let from =
        |site: &str, origin: &str| send(&host, "POST", "/", &[("sec-fetch-site", site), ("origin", origin)]);

    assert_eq!(from("cross-site", "https://app.example"), 200);
    assert_eq!(from("same-site", "https://app.example:443"), 200);
    assert_eq!(from("cross-site", "http://app.example"), 403);
}

#[test]
fn the_sites_origin_is_its_own() {
    let host = Site::new().file("handler.js", SAVE).arg("--origin").arg("https://shop.example").serve();
    let named = |request: Request| request.header("host", "shop.example");
    let cookie = named(host.request("GET", "/")).send().session();
    let from = |origin: &str| {
        named(host.request("POST", "/")).header("cookie", &cookie).header("origin", origin).send().status
    };

    assert_eq!(
        ["https://shop.example", "http://shop.example", "https://evil.example"].map(from),
        [200, 403, 403]
    );
}

/// The nearest handler on the path that has a setting decides, for all routes below it.
#[test]
fn a_route_may_take_requests_of_other_sites() {
    let site = Site::new()
        .file("handler.js", SAVE)
        .file(
            "hook/handler.js",
            "export const csrf = false; export default (event, next) => next.stepname ? next() : {};",
        )
        .file("hook/below/handler.js", "export const POST = () => ({});")
        .file("hook/guarded/handler.js", "export const csrf = true; export const POST = () => ({});")
        .file("other/handler.js", "export const csrf = 'false'; export const POST = () => ({});");
    let host = site.serve();
    let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")];

    let statuses = ["/hook", "/hook/below", "/hook/guarded", "/other", "/"]
        .map(|path| send(&host, "POST", path, &foreign));

    assert_eq!(statuses, [200, 200, 403, 403, 403]);
}

/// Lines without sockets send by POST; they have a rule of their own, by their page's origin.
#[test]
fn lines_of_allowed_origins_send_by_post() {
    let site = Site::new().file(
        "handler.js",
        handler(
            r#"await event.session.set("a", 1);
            event.client.addEventListener("say", (e) => event.client.postMessage(e.data));
            event.waitUntilNavigate();
            return {};"#,
        ),
    );
    let host = site.arg("--allow-origin").arg("https://app.example").serve();
    let answer = host.get("/");
    let dial = |origin: &str| {
        let dial = host.dial(&answer.line_path()).header("cookie", &answer.session());
        dial.header("origin", origin).header("sec-fetch-site", "cross-site")
    };

    let mut line = dial("https://app.example").listen().expect("the line");
    line.handshake();
    line.send("say", json!("sent"));

    assert_eq!(line.expect("message"), json!("sent"));
    let preflight = dial("https://app.example").request("OPTIONS").send();
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (204, Some("https://app.example"))
    );
    assert_eq!(dial("https://evil.example").request("POST").body("{}").send().status, 403);
}
