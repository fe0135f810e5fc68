//! Requests that are malformed, ambiguous or meant to be misread by one of two servers: each gets the status that
//! RFC 9112 names, and nothing that follows it on its connection is a request.

use crate::support::{Host, Site, serve};

/// Reads every body, and returns at `/seen` the paths that were requested.
const HANDLER: &str = r#"
    const seen = [];
    export default async (event, next) => {
      if (next.stepname === "seen") return seen;
      seen.push(event.url.pathname);
      return `${event.request.method} ${event.url.pathname} ${await event.request.text()}.`;
    };"#;

/// The request that a smuggler hides behind another.
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends a request and, in the same write, a second one. Returns everything that is answered.
fn with_second(host: &Host, request: impl AsRef<[u8]>) -> String {
    host.raw(&[request.as_ref(), SECOND.as_bytes()].concat())
}

#[track_caller]
fn refused(host: &Host, status: u16, what: &str, request: impl AsRef<[u8]>) {
    let answer = with_second(host, request);
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {status} expected: {answer}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: one answer expected: {answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{what}: {answer}");
}

/// What was refused never became a request, and the host is well.
#[track_caller]
fn nothing_was_smuggled(host: &Host) {
    assert_eq!(host.get("/seen").json(), serde_json::json!([]));
}

fn post(headers: &str, body: &str) -> String {
    format!("POST /first HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}")
}

/// RFC 9112 section 6: where a request's body ends is never a matter of opinion.
#[test]
fn a_body_with_two_lengths_is_a_400() {
    let host = serve(HANDLER);
    let chunks = "5\r\nhello\r\n0\r\n\r\n";

    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "transfer-encoding: chunked\r\nX-A: 1\r\ncontent-length: 0",
        "CONTENT-LENGTH: 5\r\nX-A: 1\r\nTRANSFER-ENCODING: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: 5, 6",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding:",
        "Transfer-Encoding: \"chunked\"",
    ] {
        refused(&host, 400, headers, post(headers, chunks));
    }
    nothing_was_smuggled(&host);
}

#[test]
fn a_transfer_coding_that_is_not_known_is_a_501() {
    let host = serve(HANDLER);

    for coding in ["identity, chunked", "gzip, chunked", "xchunked", "identity", "chunked\x0b", "chunked;q=1"]
    {
        let answer = with_second(&host, post(&format!("Transfer-Encoding: {coding}"), "0\r\n\r\n"));
        let status = answer.get(..13).unwrap_or_default();
        assert!(matches!(status, "HTTP/1.1 501 " | "HTTP/1.1 400 "), "{coding}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{coding}: {answer}");
    }
    nothing_was_smuggled(&host);
}

#[test]
fn http_1_0_knows_no_transfer_codings() {
    let host = serve(HANDLER);

    let request = "POST /first HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    refused(&host, 400, "chunks over HTTP/1.0", request);
    nothing_was_smuggled(&host);
}

/// RFC 9112 section 7.1: a chunk that cannot be read ends the connection, and the handler never sees the rest.
#[test]
fn chunks_that_cannot_be_read_are_a_400() {
    let host = serve(HANDLER);
    let zeros = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(100_000));
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(20_000));

    for chunks in [
        "x\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\n0\n\n",
        "5\rhello\r0\r\r",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "0\r\nno trailer\r\n\r\n",
        "5;\r\nhello\r\n0\r\n\r\n",
        "5;=b\r\nhello\r\n0\r\n\r\n",
        "5;a=\r\nhello\r\n0\r\n\r\n",
        "5;a b\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\r\nhello\r\n0\r\n\r\n",
        "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n",
        "5;\u{e9}\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "1;a\r\nh\r\n4;;\r\nello\r\n0\r\n\r\n",
        "0;=\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        zeros.as_str(),
        long.as_str(),
    ] {
        let what = &chunks[..chunks.len().min(40)];
        refused(&host, 400, what, post("Transfer-Encoding: chunked", chunks));
    }
    // The handlers ran, and failed where they read.
    let seen = host.get("/seen").json();
    assert!(seen.as_array().is_some_and(|paths| paths.iter().all(|path| path == "/first")), "{seen}");
}

/// RFC 9112 sections 2.2, 3 and 5.
#[test]
fn a_head_that_cannot_be_read_is_a_400() {
    let host = serve(HANDLER);

    for head in [
        "GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n folded\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n X-A: 1\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\rX-B: 2\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX-A: \0\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nX\0A: 1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: 1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n",
        "GET / HTTP/1.1\nHost: x\r\n",
        "GET / HTTP/1.1\r\nHost: x\nX-A: 1\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n",
        "GET  / HTTP/1.1\r\nHost: x\r\n",
        "GET /a b HTTP/1.1\r\nHost: x\r\n",
        "GET\t/\tHTTP/1.1\r\nHost: x\r\n",
        "GET / HTTP/1.1 \r\nHost: x\r\n",
        "GET / HTTP/1.1 x\r\nHost: x\r\n",
        "GET / http/1.1\r\nHost: x\r\n",
        "GET / HTTP/1.2\r\nHost: x\r\n",
        "GET / HTTP/2.0\r\nHost: x\r\n",
        "GET / HTTP/11\r\nHost: x\r\n",
        "GET /\r\nHost: x\r\n",
        "G(T / HTTP/1.1\r\nHost: x\r\n",
        " GET / HTTP/1.1\r\nHost: x\r\n",
    ] {
        refused(&host, 400, head, format!("{head}\r\n"));
    }
    nothing_was_smuggled(&host);
}

/// RFC 9112 section 3.2: a request names its host once, and in one way.
#[test]
fn a_request_names_one_host() {
    let host = serve(HANDLER);

    for head in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n",
        "GET / HTTP/1.1\r\nHost: x, y\r\n",
        "GET / HTTP/1.1\r\nHost: x y\r\n",
        "GET / HTTP/1.1\r\nHost: x/path\r\n",
        "GET / HTTP/1.1\r\nHost: user@x\r\n",
        "GET / HTTP/1.1\r\nHost: x:port\r\n",
        "GET / HTTP/1.1\r\nHost: x\u{e9}\r\n",
        "GET http://user@x/ HTTP/1.1\r\nHost: x\r\n",
        "GET ftp://x/ HTTP/1.1\r\nHost: x\r\n",
        "GET x HTTP/1.1\r\nHost: x\r\n",
        "GET x:80 HTTP/1.1\r\nHost: x\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n",
        "GET ?a HTTP/1.1\r\nHost: x\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n",
        "GET / HTTP/1.1\r\nHost: x:65536\r\n",
        "GET / HTTP/1.1\r\nHost: 1.2.3.4.5\r\n",
        "GET / HTTP/1.1\r\nHost: [1]\r\n",
        "GET / HTTP/1.1\r\nHost: %00\r\n",
        "GET http:///a HTTP/1.1\r\nHost: x\r\n",
    ] {
        refused(&host, 400, head, format!("{head}\r\n"));
    }
    nothing_was_smuggled(&host);
}

/// RFC 9112 section 3.2: a fragment is the client's own business. Servers cut it off, or take it for a part of the path.
#[test]
fn a_target_has_no_fragment() {
    let host = serve(HANDLER);

    for target in ["/#", "/a#b", "/a?b#c", "#", "http://x/#a", "/%23#", "*#"] {
        refused(&host, 400, target, format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    nothing_was_smuggled(&host);
    // It may be part of a method, and of a value.
    let answer = host.raw(b"G#T /a HTTP/1.1\r\nHost: x\r\nX-A: #\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with("G#T /a ."), "{answer}");
}

/// RFC 6454 section 7.3: what may be done depends on it.
#[test]
fn two_origins_are_a_400() {
    let host = serve(HANDLER);

    for origins in
        ["Origin: http://x\r\nOrigin: http://y", "Origin: http://x\r\norigin: http://x", "Origin:\r\nOrigin:"]
    {
        refused(&host, 400, origins, post(&format!("{origins}\r\nContent-Length: 0"), ""));
    }
    nothing_was_smuggled(&host);
}

/// The router and the handlers must not read a path in two ways: a guard would look at the one and miss the other.
#[test]
fn a_path_that_leads_up_passes_no_guard() {
    let guard = r#"export default (event, next) => event.url.pathname.startsWith("/admin") ? "no" : next();"#;
    let site = Site::new().file("handler.js", guard);
    let host = site.file("admin/handler.js", "export default () => 'secret';").serve();

    for path in [
        "/admin/../x",
        "/admin/%2e%2e/x",
        "/admin/.%2E",
        "/admin/..",
        "/x/../admin",
        "/admin\\..\\x",
        "/./admin",
    ] {
        refused(&host, 400, path, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    }
    assert_eq!(host.get("/admin/x").text(), "no");
}

/// What is no dot segment is the handler's, as it was sent.
#[test]
fn an_escape_stays_what_it_is() {
    let host = serve("export default (event) => event.url.pathname;");

    for path in ["/a%2fb", "/a%2Fb", "/%zz", "/%00", "/%0d%0aX:1", "/a%2f..%2fb", "/...", "//a", "/%5c.."] {
        let answer =
            host.raw(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes());
        assert!(answer.ends_with(&format!("\r\n\r\n{path}")), "{path}: {answer}");
    }
}

/// RFC 9112 section 3.2.2: the request's target has precedence over the header.
#[test]
fn an_absolute_target_wins_over_the_host_header() {
    let host = serve("export default (event) => `${event.url.href} ${event.request.headers.get('host')}`;");

    for header in ["there.example", "other.example"] {
        let answer = host.raw(
            format!("GET http://there.example/a HTTP/1.1\r\nHost: {header}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        );
        assert!(answer.ends_with("http://there.example/a there.example"), "{header}: {answer}");
    }
}

#[test]
fn connect_is_not_supported() {
    let host = serve(HANDLER);

    refused(&host, 501, "CONNECT", "CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\n\r\n");
    nothing_was_smuggled(&host);
}

#[test]
fn options_of_the_whole_server_are_answered_without_a_handler() {
    let host = serve(HANDLER);

    let answer = host.raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    nothing_was_smuggled(&host);
}

#[test]
fn a_head_over_the_limit_is_a_431_and_a_long_address_a_414() {
    let host = Site::new().file("handler.js", HANDLER).arg("--max-header").arg("16KiB").serve();

    let long = "x".repeat(70_000);
    let answer = host.raw(format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 414 "), "{answer}");
    let many = "X-A: 1\r\n".repeat(200);
    refused(&host, 431, "200 headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n"));
    nothing_was_smuggled(&host);
}

/// The preface of a protocol that is not spoken here (RFC 9113 section 3.4), and the first version of this one.
#[test]
fn other_protocols_are_turned_away() {
    let host = serve(HANDLER);

    for bytes in [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        b"GET /first\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let answer = with_second(&host, bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(!answer.contains("second"), "{answer}");
    }
    nothing_was_smuggled(&host);
}

/// Methods are case-sensitive (RFC 9110 section 9.1), and handlers may have methods of their own.
#[test]
fn a_method_is_what_was_sent() {
    let host = serve(HANDLER);

    let answer = host.raw(b"get / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    assert!(answer.ends_with("get / ."), "{answer}");
}

/// Pipelined requests are answered in order, and what follows them cannot be a request is refused.
#[test]
fn what_follows_a_good_request_is_judged_by_itself() {
    let host = serve(HANDLER);

    let good = "POST /good HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    let chunked = "POST /chunked HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n";
    for garbage in [
        "garbage\r\n\r\n",
        "POST /bad HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /bad HTTP/1.1\r\n\r\n",
    ] {
        let answer = with_second(&host, format!("{good}{chunked}{good}{garbage}"));
        let bodies = ["POST /good hello.", "POST /chunked hello.", "POST /good hello."];
        let mut rest = &*answer;
        for body in bodies {
            let at = rest.find(body).unwrap_or_else(|| panic!("{body} is missing: {answer}"));
            rest = &rest[at + body.len()..];
        }
        assert!(rest.starts_with("HTTP/1.1 400 "), "{garbage}: {answer}");
        assert_eq!(rest.matches("HTTP/1.1 ").count(), 1, "{garbage}: {answer}");
    }
    let seen = host.get("/seen").json();
    let seen: Vec<_> = seen.as_array().expect("paths").iter().filter_map(|path| path.as_str()).collect();
    assert!(!seen.contains(&"/bad") && !seen.contains(&"/second"), "{seen:?}");
}

/// A request may arrive in any pieces.
#[test]
fn a_request_in_single_bytes_is_the_same_request() {
    use std::io::{Read, Write};
    let host = serve(HANDLER);
    let bad = post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n");
    let good = post("Transfer-Encoding: chunked\r\nConnection: close", "5\r\nhello\r\n0\r\n\r\n");

    for (request, status) in [(bad, "HTTP/1.1 400 "), (good, "HTTP/1.1 200 ")] {
        let mut stream = host.connect();
        stream.set_nodelay(true).expect("an option");
        for byte in request.bytes() {
            // The host may have closed before the end.
            let _ = stream.write_all(&[byte]);
        }
        let mut heard = vec![0; status.len()];
        stream.read_exact(&mut heard).expect("an answer");
        assert_eq!(String::from_utf8_lossy(&heard), status);
    }
}

/// A chunk of a byte is still a chunk, whatever else came with it.
#[test]
fn a_body_of_many_small_chunks_is_the_same_body() {
    let host = serve(HANDLER);
    let (mut chunks, mut body) = (String::new(), String::new());
    for number in 0..20_000_usize {
        let piece = &"0\r\n\r\n;=\"a"[..1 + number % 9];
        let extension = ["", ";a", ";a=b", " ; a = \"\\\"\""][if number < 900 { number % 4 } else { 0 }];
        chunks += &format!("{:x}{extension}\r\n{piece}\r\n", piece.len());
        body += piece;
    }

    let request =
        post("Connection: close\r\nTransfer-Encoding: chunked", &format!("{chunks}0\r\nX-A: b\r\n\r\n"));
    let answer = host.raw(request.as_bytes());

    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&format!("POST /first {body}.")));
}
