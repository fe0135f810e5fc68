//! The hosts that the server answers for, and the origin that it names as the site's.

use std::process::Command;

use serde_json::json;

use crate::support::{Answer, Host, Site, executable, handler};

fn site() -> Site {
    Site::new().file("handler.js", "export default (event) => event.url.href;")
}

#[track_caller]
fn named(host: &Host, name: &str) -> Answer {
    host.request("GET", "/").header("host", name).send()
}

#[track_caller]
fn assert_misdirected(host: &Host, name: &str) {
    let answer = named(host, name);
    assert_eq!(answer.status, 421, "{name}: {answer:?}");
    assert!(answer.text().contains("--allow-host"), "{name}: {answer:?}");
}

#[test]
fn serve_answers_for_every_name_by_default() {
    let host = site().serve();

    for name in ["shop.example", "x", "[::1]:80", "192.0.2.1", "a_b.example"] {
        assert_eq!(named(&host, name).text(), format!("http://{}/", name.trim_end_matches(":80")));
    }
}

#[test]
fn a_host_that_no_address_could_have_is_a_bad_request() {
    let host = site().serve();

    for name in ["%zz", "1.2.3.400", "xn--a-ecp.example", "shop.example:65536", "a%20b", ":80"] {
        assert_eq!(named(&host, name).status, 400, "{name}");
    }
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn dev_answers_for_the_names_of_the_machine_alone() {
    let host = site().dev();

    for name in ["localhost", "app.localhost:3000", "127.0.0.1", "127.9.9.9", "[::1]:3000"] {
        assert_eq!(named(&host, name).status, 200, "{name}");
    }
    for name in ["evil.example", "localhost.evil.example", "169.254.169.254", "192.0.2.1"] {
        assert_misdirected(&host, name);
    }
}

/// Terminals make a link of the address that a server prints.
#[test]
fn dev_answers_at_the_address_that_it_prints_on_all_addresses() {
    let host = site().host("0.0.0.0").dev();

    for name in ["0.0.0.0", "0.0.0.0:3000", "[::]:3000", "127.0.0.1"] {
        assert_eq!(named(&host, name).status, 200, "{name}");
    }
    assert_misdirected(&host, "evil.example");
}

#[cfg(target_os = "linux")]
#[test]
fn dev_answers_for_the_name_of_the_machine() {
    let name = Command::new("uname").arg("-n").output().expect("uname").stdout;
    let name = String::from_utf8(name).expect("a name");
    let host = site().dev();

    assert_eq!(named(&host, name.trim()).status, 200, "{name}");
}

/// A page of another site gets the address of a developer's server by a name of its own (DNS rebinding).
#[test]
fn a_rebound_name_gets_nothing_of_dev() {
    let live = handler("event.waitUntilNavigate(); return {};");
    let site = Site::new().file("app/live/handler.js", live).file("public/secret.txt", "secret");
    let host = site.dev();

    let path = host.get("/live").line_path();

    for path in ["/", "/secret.txt", "/metrics", "/app.js", "/live", &path] {
        let answer = host.request("GET", path).header("host", "evil.example").send();
        assert_eq!(answer.status, 421, "{path}: {answer:?}");
    }
    assert_eq!(host.dial(&path).header("host", "evil.example").connect().err(), Some(421));
    assert!(host.dial(&path).connect().is_ok(), "the line is as it was");
}

#[test]
fn allowed_hosts_are_answered_and_no_others() {
    let site = site()
        .arg("--allow-host")
        .arg("shop.example")
        .arg("--allow-host")
        .arg("*.preview.example,.both.example");
    let host = site.serve();

    for name in ["shop.example", "Shop.Example:8080", "a.preview.example", "both.example", "b.both.example"] {
        assert_eq!(named(&host, name).status, 200, "{name}");
    }
    for name in ["preview.example", "evilshop.example", "a.shop.example", "localhost"] {
        assert_misdirected(&host, name);
    }
}

#[test]
fn dev_answers_for_allowed_hosts_too() {
    let host = site().arg("--allow-host").arg("*").dev();

    assert_eq!(named(&host, "anything.example").status, 200);
}

#[test]
fn the_origin_of_a_site_is_fixed() {
    let host = site().arg("--origin").arg("https://shop.example").serve();

    for name in ["shop.example", "shop.example:443", "shop.example:3000"] {
        assert_eq!(named(&host, name).text(), "https://shop.example/", "{name}");
    }
    assert_misdirected(&host, "evil.example");
    let absolute =
        host.raw(b"GET http://evil.example/ HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n");
    assert!(absolute.starts_with("HTTP/1.1 421 "), "{absolute}");
    // Without a name it is the site itself that is asked.
    let nameless = host.raw(b"GET / HTTP/1.0\r\n\r\n");
    assert!(nameless.ends_with("https://shop.example/"), "{nameless}");
}

#[test]
fn an_allowed_host_is_answered_at_the_sites_origin() {
    let host =
        site().arg("--origin").arg("https://shop.example").arg("--allow-host").arg("127.0.0.1").serve();

    assert_eq!(host.get("/").text(), "https://shop.example/");
}

#[test]
fn the_origin_may_come_from_the_environment() {
    let environment =
        [("LIVELINE_ORIGIN", "https://shop.example"), ("LIVELINE_ALLOW_HOST", "a.example,b.example")];
    let host = site().run_by(&executable(), &environment).serve();

    for name in ["shop.example", "a.example", "b.example"] {
        assert_eq!(named(&host, name).text(), "https://shop.example/", "{name}");
    }
    assert_misdirected(&host, "evil.example");
}

#[test]
fn what_is_no_origin_host_or_address_is_refused_with_an_example() {
    for (flag, value, example) in [
        ("--origin", "shop.example", "https://shop.example"),
        ("--origin", "https://shop.example/path", "https://shop.example"),
        ("--allow-host", "https://shop.example", "*.shop.example"),
        ("--trust-proxy", "10.0.0.0/33", "10.0.0.0/8"),
    ] {
        let finished = site().arg(flag).arg(value).run("serve");
        assert_ne!(finished.code, Some(0), "{flag} {value}");
        assert!(finished.stderr.contains(example), "{flag} {value}: {}", finished.output());
    }
}

#[test]
fn pages_of_the_sites_origin_join_lines_and_those_of_its_plain_twin_do_not() {
    let site = Site::new().file("handler.js", handler("event.waitUntilNavigate(); return {};"));
    let host = site.arg("--origin").arg("https://shop.example").serve();
    let join = |origin: &str| {
        let answer = host.request("GET", "/").header("host", "shop.example").send();
        let dial = host.dial(&answer.line_path()).header("host", "shop.example");
        dial.header("origin", origin).connect().err()
    };

    assert_eq!(join("https://shop.example"), None);
    assert_eq!(join("http://shop.example"), Some(403));
    assert_eq!(join("https://evil.example"), Some(403));
}

#[test]
fn the_session_cookie_of_a_site_with_tls_travels_by_tls_alone() {
    let site = Site::new()
        .file("handler.js", "export default async (event) => { await event.session.set('a', 1); };");
    let host = site.arg("--origin").arg("https://shop.example").serve();

    let answer = host.request("GET", "/").header("host", "shop.example").send();

    assert!(answer.header("set-cookie").expect("a cookie").ends_with("; Secure"), "{answer:?}");
}

/// Reaches its own routes by the third argument, wherever the site is.
fn calling() -> Site {
    Site::new()
        .file(
            "handler.js",
            r#"
            export default async function (event, next, fetch) {
              if (next.stepname) return await next();
              const to = event.url.searchParams.get("to").replace("PORT", event.url.searchParams.get("port"));
              const init = { method: "POST", headers: { "x-said": "yes", "content-type": "text/x" }, body: "sent" };
              try {
                return await fetch(to, event.url.searchParams.has("post") ? init : undefined);
              } catch (error) {
                return { error: `${error.name}: ${error.message}` };
              }
            }"#,
        )
        .file(
            "there/handler.js",
            r#"
            export const GET = (event) => ({ url: event.url.href });
            export const POST = async ({ request }) => ({
              said: request.headers.get("x-said"),
              type: request.headers.get("content-type"),
              body: await request.text(),
              cookie: request.headers.get("cookie"),
            });"#,
        )
        .file("loop/handler.js", "export default (event, next, fetch) => fetch('/loop');")
}

#[test]
fn a_handlers_fetch_reaches_own_addresses_without_the_network() {
    // No server exists at that name, so only the host itself can answer.
    let host =
        calling().arg("--origin").arg("https://shop.invalid").arg("--allow-host").arg("127.0.0.1").serve();
    let port = host.address().port();

    for to in [
        "/there",
        "there",
        "https://shop.invalid/there",
        "http://127.0.0.1:PORT/there",
        "http://localhost:PORT/there",
    ] {
        let answer = host.get(&format!("/?port={port}&to={to}"));
        assert_eq!(answer.json(), json!({ "url": "https://shop.invalid/there" }), "{to}: {answer:?}");
    }
}

#[test]
fn a_handlers_fetch_reaches_the_host_that_the_visitor_named() {
    let host = calling().serve();

    let answer =
        host.request("GET", "/?to=http://shop.invalid:81/there").header("host", "shop.invalid:81").send();

    assert_eq!(answer.json(), json!({ "url": "http://shop.invalid:81/there" }));
}

#[test]
fn a_handlers_fetch_carries_method_headers_and_body() {
    let host = calling().serve();

    let answer = host.request("GET", "/?post&to=/there").header("cookie", "secret=1").send();

    let sent = json!({ "said": "yes", "type": "text/x", "body": "sent", "cookie": null });
    assert_eq!(answer.json(), sent);
}

#[test]
fn a_handler_that_fetches_itself_for_ever_fails() {
    let host = calling().serve();

    let answer = host.get("/loop");

    assert_eq!(answer.status, 500, "{answer:?}");
    host.log.next("more than 32 re-routes");
}
