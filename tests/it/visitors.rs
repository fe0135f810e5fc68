//! The visitor of a line, also where the address changes or is written in two ways, and the quota that the line counts
//! for.

use serde_json::{Value, json};

use crate::support::{Host, PROTOCOL, Site, handler, serve};

const WIFI: &str = "127.0.0.1";
const MOBILE: &str = "127.0.0.2";

/// Stays, and sends every message back.
const ECHO: &str = r#"
    event.client.addEventListener("say", (e) => event.client.postMessage(e.data));
    event.waitUntilNavigate();
    return {};"#;

fn with_session() -> Host {
    serve(&handler(&format!("await event.session.set('a', 1);{ECHO}")))
}

#[test]
fn a_line_is_joined_from_another_address() {
    let host = serve(&handler(ECHO));

    let answer = host.request("GET", "/").from(WIFI).send();
    let mut line = host.dial(&answer.line_path()).from(MOBILE).connect().expect("the visitor has the token");
    line.handshake();
    line.send("say", json!("here"));

    assert_eq!(line.expect("message"), json!("here"));
}

#[test]
fn a_line_is_resumed_from_another_address() {
    let host = serve(&handler(ECHO));
    let path = host.request("GET", "/").from(WIFI).send().line_path();
    let dial = |path: &str, from: &str| {
        host.dial(path).from(from).header("sec-websocket-protocol", PROTOCOL).upgrade()
    };

    let (mut first, _) = dial(&path, WIFI).expect("the line");
    let welcome = first.read().expect("a frame").into_text().expect("a text");
    let welcome: Value = serde_json::from_str(welcome.strip_prefix('w').expect("a welcome")).expect("JSON");
    let token = welcome["token"].as_str().expect("a token");
    drop(first);
    let (mut again, _) = dial(&format!("/.liveline/{token}?v=2&after=0"), MOBILE).expect("the same line");

    assert!(again.read().expect("a frame").into_text().expect("a text").starts_with('w'));
}

#[test]
fn a_token_works_once() {
    let host = serve(&handler(ECHO));
    let path = host.get("/").line_path();

    let _line = host.dial(&path).from(WIFI).connect().expect("the line");

    assert_eq!(host.dial(&path).from(MOBILE).connect().err(), Some(404));
    assert_eq!(host.dial(&path).from(WIFI).connect().err(), Some(404));
}

#[test]
fn a_line_of_a_session_is_for_that_session_alone_from_any_address() {
    let host = with_session();
    let (first, other) = (host.request("GET", "/").from(WIFI).send(), host.request("GET", "/").send());
    let (cookie, others) = (first.session(), other.session());

    assert_eq!(host.dial(&first.line_path()).from(WIFI).connect().err(), Some(403));
    let as_another = host.dial(&first.line_path()).from(WIFI).header("cookie", &others).connect();
    assert_eq!(as_another.err(), Some(403));
    assert!(host.dial(&first.line_path()).from(MOBILE).header("cookie", &cookie).connect().is_ok());
}

#[test]
fn a_line_counts_for_the_address_that_it_was_opened_from() {
    let host = Site::new().file("handler.js", handler(ECHO)).arg("--max-lines-per-address").arg("1").serve();

    let answer = host.request("GET", "/").from(WIFI).send();
    let _line = host.dial(&answer.line_path()).from(MOBILE).connect().expect("the line");

    assert_eq!(host.request("GET", "/").from(WIFI).send().status, 429);
    assert_eq!(host.request("GET", "/").from(MOBILE).send().status, 200);
}

#[test]
fn zero_lines_per_address_and_session_mean_any_number() {
    let site = Site::new().file("handler.js", handler(&format!("await event.session.set('a', 1);{ECHO}")));
    let site = site.arg("--max-lines-per-address").arg("0").arg("--max-lines-per-session").arg("0");
    let host = site.serve();

    let cookie = host.get("/").session();

    for _ in 0..3 {
        assert_eq!(host.request("GET", "/").header("cookie", &cookie).send().status, 200);
    }
}

#[test]
fn ipv4_visitors_of_an_ipv6_socket_count_one_by_one() {
    let site = Site::new().file("handler.js", handler(ECHO)).host("::");
    let host = site.arg("--max-lines-per-address").arg("1").serve();

    let open = |from: &str| host.request("GET", "/").from(from).send().status;

    assert_eq!([open(WIFI), open(WIFI), open(MOBILE), open(MOBILE)], [200, 429, 200, 429]);
}

#[test]
fn the_address_of_an_ipv4_visitor_is_written_as_such() {
    let site = Site::new().file("handler.js", "export const GET = (event) => event.detail.ipAddress;");

    assert_eq!(site.host("::").serve().get("/").text(), "127.0.0.1");
}

#[test]
fn a_schemes_own_port_makes_no_other_origin() {
    let host = serve(&handler(ECHO));

    for (name, origin) in [
        ("shop.example:443", "https://shop.example"),
        ("shop.example", "https://shop.example:443"),
        ("shop.example:80", "http://shop.example"),
        ("shop.example", "https://shop.example"),
    ] {
        let path = host.get("/").line_path();
        let joined = host.dial(&path).header("host", name).header("origin", origin).connect();
        assert!(joined.is_ok(), "{name} {origin}: {:?}", joined.err());
    }
    for (name, origin) in
        [("shop.example:80", "https://shop.example"), ("shop.example", "https://shop.example:80")]
    {
        let path = host.get("/").line_path();
        let joined = host.dial(&path).header("host", name).header("origin", origin).connect();
        assert_eq!(joined.err(), Some(403), "{name} {origin}");
    }
}
