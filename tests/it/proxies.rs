//! The address of a visitor behind a proxy: only trusted proxies may name it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::support::{Host, PATIENCE, Site, handler};

const SEEN: &str = r#"
    export const GET = async (event) => {
      if (event.url.pathname === "/in") await event.session.set("a", 1);
      return { url: event.url.href, ip: event.detail.ipAddress };
    };"#;

/// The headers of nginx, Caddy, HAProxy and most others.
const FIELDS: [(&str, &str); 3] = [
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "shop.example"),
];

fn trusting(addresses: &str) -> Site {
    Site::new().file("handler.js", SEEN).arg("--trust-proxy").arg(addresses)
}

#[track_caller]
fn seen(host: &Host, headers: &[(&str, &str)]) -> Value {
    let request = headers.iter().fold(host.request("GET", "/"), |it, (name, value)| it.header(name, value));
    request.header("host", "site.example").send().json()
}

fn with_visitor(address: &str, url: &str) -> Value {
    json!({ "url": url, "ip": address })
}

#[test]
fn no_proxy_is_trusted_by_default() {
    let host = Site::new().file("handler.js", SEEN).serve();

    assert_eq!(seen(&host, &FIELDS), with_visitor("127.0.0.1", "http://site.example/"));
    let forwarded = [("forwarded", "for=203.0.113.9;proto=https;host=shop.example")];
    assert_eq!(seen(&host, &forwarded), with_visitor("127.0.0.1", "http://site.example/"));
}

#[test]
fn a_trusted_proxy_names_the_visitor_and_the_scheme() {
    for addresses in ["127.0.0.1", "127.0.0.0/8", "loopback", "192.0.2.1,127.0.0.1"] {
        let host = trusting(addresses).serve();

        assert_eq!(seen(&host, &FIELDS), with_visitor("203.0.113.9", "https://shop.example/"), "{addresses}");
        let forwarded = [("forwarded", "for=203.0.113.9;proto=https;host=shop.example")];
        assert_eq!(seen(&host, &forwarded), with_visitor("203.0.113.9", "https://shop.example/"));
    }
}

#[test]
fn a_peer_that_is_not_listed_is_not_believed() {
    let host = trusting("127.0.0.9,10.0.0.0/8,private").serve();

    assert_eq!(seen(&host, &FIELDS), with_visitor("127.0.0.1", "http://site.example/"));
    let line = host.raw(
        b"PROXY TCP4 203.0.113.9 192.0.2.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(!line.contains("203.0.113.9") && !line.contains("HTTP/1.1 200"), "{line}");
}

#[test]
fn what_a_visitor_wrote_before_the_proxy_does_not_count() {
    let host = trusting("127.0.0.1,10.0.0.1").serve();

    let chain =
        [("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.1"), ("x-forwarded-proto", "http, https, http")];
    assert_eq!(seen(&host, &chain), with_visitor("203.0.113.9", "https://site.example/"));
    // The visitor's own Forwarded passes through proxies that write the usual fields.
    let both = [("forwarded", "for=1.1.1.1;host=evil.example"), ("x-forwarded-for", "203.0.113.9")];
    assert_eq!(seen(&host, &both), with_visitor("203.0.113.9", "http://site.example/"));
}

#[test]
fn the_host_that_a_proxy_names_must_be_allowed() {
    let host = trusting("loopback").arg("--allow-host").arg("shop.example").serve();
    let with = |name: &str| host.request("GET", "/").header("x-forwarded-host", name).send().status;

    assert_eq!([with("shop.example"), with("evil.example"), with("a b")], [200, 421, 400]);
}

#[test]
fn a_session_that_began_behind_tls_travels_by_tls_alone() {
    let host = trusting("loopback").serve();

    let cookie = |proto: &str| {
        let answer = host.request("GET", "/in").header("x-forwarded-proto", proto).send();
        answer.header("set-cookie").expect("a cookie").ends_with("; Secure")
    };

    assert_eq!([cookie("https"), cookie("http")], [true, false]);
}

#[test]
fn a_page_behind_tls_joins_its_line_and_its_plain_twin_does_not() {
    let site = Site::new().file("handler.js", handler("event.waitUntilNavigate(); return {};"));
    let host = site.arg("--trust-proxy").arg("loopback").serve();
    let join = |origin: &str| {
        let dial =
            host.dial(&host.get("/").line_path()).header("origin", origin).header("host", "10.0.0.7:3000");
        dial.header("x-forwarded-host", "shop.example").header("x-forwarded-proto", "https").connect().err()
    };

    assert_eq!(join("https://shop.example"), None);
    assert_eq!(join("http://shop.example"), Some(403));
    assert_eq!(join("https://10.0.0.7:3000"), Some(403));
}

#[test]
fn lines_count_for_the_visitors_behind_a_proxy() {
    let site = Site::new().file("handler.js", handler("event.waitUntilNavigate(); return {};"));
    let host = site.arg("--trust-proxy").arg("loopback").arg("--max-lines-per-address").arg("1").serve();
    let open = |visitor: &str| host.request("GET", "/").header("x-forwarded-for", visitor).send().status;

    assert_eq!(["203.0.113.1", "203.0.113.2", "203.0.113.1"].map(open), [200, 200, 429]);
}

#[test]
fn connections_count_for_the_visitors_behind_a_proxy() {
    let site = Site::new().file("handler.js", handler("event.waitUntilNavigate(); return {};"));
    let host =
        site.arg("--trust-proxy").arg("loopback").arg("--max-connections-per-address").arg("1").serve();
    let open = |visitor: &str| host.request("GET", "/").header("x-forwarded-for", visitor).send();
    let join = |path: &str, visitor: &str| host.dial(path).header("x-forwarded-for", visitor).connect();

    let path = open("203.0.113.1").line_path();
    let line = join(&path, "203.0.113.1").expect("the visitor's one connection");
    assert_eq!(open("203.0.113.1").status, 503);
    assert_eq!(open("203.0.113.2").status, 200);
    drop(line);

    host.until("/", |_| open("203.0.113.1").status == 200);
}

#[test]
fn the_access_log_names_the_visitor() {
    let host = trusting("loopback").arg("--access-log").arg("--log-format").arg("json").serve();

    seen(&host, &FIELDS);

    host.log.next(r#""client":"203.0.113.9""#);
}

// -- the PROXY protocol -------------------------------------------------------------------------------

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n";

/// A header of version 2 for 203.0.113.9, with these fields.
fn binary(fields: &[u8]) -> Vec<u8> {
    let addresses = [203, 0, 113, 9, 192, 0, 2, 1, 0, 1, 0, 2];
    let length = (addresses.len() + fields.len()) as u16;
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length.to_be_bytes()[..], &addresses, fields].concat()
}

#[test]
fn the_proxy_protocol_names_the_visitor_of_a_connection() {
    let host = trusting("loopback").serve();

    for (header, ip) in [
        (&b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"[..], "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&binary(&[]), "203.0.113.9"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1"),
        (b"", "127.0.0.1"),
    ] {
        let answer = host.raw(&[header, REQUEST].concat());
        let expected = with_visitor(ip, "http://site.example/").to_string();
        assert!(answer.ends_with(&expected), "{answer}, not {expected}");
    }
}

#[test]
fn the_proxy_protocol_names_the_scheme() {
    let host = trusting("loopback").serve();

    let answer = host.raw(&[&binary(&[0x20, 0, 5, 1, 0, 0, 0, 0])[..], REQUEST].concat());

    assert!(answer.contains("https://site.example/"), "{answer}");
}

/// What comes through a connection that a proxy passes on unread is its client's own.
#[test]
fn forwarding_headers_within_the_proxy_protocol_are_ignored() {
    let host = trusting("loopback").serve();
    let request = b"GET / HTTP/1.1\r\nHost: site.example\r\nX-Forwarded-For: 1.1.1.1\r\n\
        X-Forwarded-Proto: https\r\nConnection: close\r\n\r\n";

    let answer = host.raw(&[&binary(&[])[..], request].concat());

    let expected = with_visitor("203.0.113.9", "http://site.example/").to_string();
    assert!(answer.ends_with(&expected), "{answer}");
}

#[test]
fn a_malformed_proxy_header_ends_the_connection() {
    let host = trusting("loopback").serve();

    for header in [
        &b"PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n"[..],
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 99999\r\n",
        &[&b"PROXY TCP6 "[..], &[b'1'; 200]].concat(),
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
        b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
    ] {
        assert_eq!(host.raw(&[header, REQUEST].concat()), "", "{}", String::from_utf8_lossy(header));
    }
    assert_eq!(host.get("/").status, 200);
}

#[test]
fn a_proxy_header_that_does_not_come_to_its_end_is_waited_for_so_long() {
    let host = trusting("loopback").arg("--header-timeout").arg("200ms").serve();

    assert_eq!(host.raw(b"PROXY TCP4 203.0.113.9 "), "");
}

#[test]
fn connections_of_the_proxy_protocol_count_for_their_visitors() {
    let site = trusting("loopback").arg("--max-connections-per-address").arg("1");
    let host = site.serve();
    let open = |visitor: &str| {
        let mut stream = host.connect();
        let request = format!("PROXY TCP4 {visitor} 192.0.2.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the host reads");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        (stream, String::from_utf8_lossy(&status).into_owned())
    };

    let (_first, first) = open("203.0.113.1");
    let (_second, second) = open("203.0.113.1");
    let (_third, third) = open("203.0.113.2");

    assert_eq!([&*first, &*second, &*third], ["HTTP/1.1 200", "HTTP/1.1 503", "HTTP/1.1 200"]);
}

/// A proxy of our own that passes connections on unread, after a header that comes in pieces.
#[test]
fn a_passed_on_connection_lasts_as_any_other() {
    let host = trusting("loopback").serve();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let upstream = host.address();
    let proxy = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut server = TcpStream::connect(upstream).expect("the host accepts");
        server.set_nodelay(true).expect("an option");
        for piece in binary(&[]).chunks(5) {
            server.write_all(piece).expect("the host reads");
        }
        let (mut from, mut to) =
            (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
        let up = thread::spawn(move || std::io::copy(&mut from, &mut to));
        // It ends when either side does.
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = up.join();
    });

    let mut client = TcpStream::connect(address).expect("the proxy accepts");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut heard = String::new();
    client.write_all(b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n").expect("the proxy reads");
    let mut piece = [0; 1024];
    while !heard.contains("/one") {
        let length = client.read(&mut piece).expect("an answer");
        heard.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    client.write_all(b"GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("the proxy reads");
    client.read_to_string(&mut heard).expect("an answer");
    proxy.join().expect("the proxy ends");

    assert_eq!(heard.matches(r#""ip":"203.0.113.9""#).count(), 2, "{heard}");
}
