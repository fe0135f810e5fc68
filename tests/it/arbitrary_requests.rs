//! Arbitrary requests: none is answered with 500, and none causes a line in the log.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::support::{Dice, Host, PATIENCE, Site};

/// A project whose handlers read every part of a request: address, headers and body.
fn site() -> Site {
    let site = Site::new()
        .file(
            "app/items/-/handler.js",
            r#"
            export default async (event) => {
              const { request, url } = event;
              const headers = new Headers(request.headers);
              const copy = new Request(url, { headers });
              const body = await request.text();
              return {
                path: url.pathname, query: [...url.searchParams], same: new URL("/x", url).host === url.host,
                headers: [...copy.headers].length, method: request.method, length: body.length,
                cookies: event.cookies ? 1 : 0,
              };
            };"#,
        )
        .file("app/next/handler.js", "export default (event, next) => next();")
        .file(
            "app/live/handler.js",
            r#"
            export default (event) => {
              event.respondWith({}, { done: false });
              setTimeout(() => event.client.close(), 20);
            };"#,
        )
        .file("public/there.txt", "there")
        .file("public/folder/index.html", "folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("loop", site.path("public/loop")).expect("a link");
        symlink("two", site.path("public/one")).expect("a link");
        symlink("one", site.path("public/two")).expect("a link");
    }
    site
}

/// How long the client waits for more of an answer before it closes its side of the connection.
const SILENCE: Duration = Duration::from_millis(100);

/// Sends bytes, waits for answers, and leaves. Returns everything that is answered.
fn ask_and_leave(host: &Host, bytes: &[u8]) -> String {
    let mut stream = host.connect();
    stream.set_read_timeout(Some(SILENCE)).expect("a timeout can be set");
    // The host may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    if stream.read_to_end(&mut answer).is_err() {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        let started = Instant::now();
        let _ = stream.shutdown(Shutdown::Write).and_then(|()| stream.read_to_end(&mut answer));
        assert!(started.elapsed() < PATIENCE, "no end: {:?}", String::from_utf8_lossy(bytes));
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// The statuses of the answers on a connection. Nothing that the handlers above answer looks like one.
fn statuses(answer: &str) -> Vec<u16> {
    let starts = answer.split("HTTP/1.1 ").skip(1);
    starts.filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

/// What a request of a client causes is logged at `debug` at most.
#[track_caller]
fn assert_quiet(host: &Host) {
    assert_eq!(host.get("/items/last").status, 200, "it is well");
    let log = host.log.text();
    for level in ["ERROR", "WARN", "INFO"] {
        assert!(!log.contains(level), "{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn any_target_has_an_answer_that_is_no_500() {
    let host = site().serve();
    let long = |text: &str, times: usize| text.repeat(times);

    for target in [
        "/",
        "/%",
        "/%E0%A4%A",
        "/%ff",
        "/%00",
        "/%c0%ae%c0%ae/",
        "/%2f",
        "/%5c",
        "/%0d%0aX:1",
        "/%u0041",
        "//",
        "///a",
        "/there.txt/more",
        "/there.txt/",
        "/there.txt/more/",
        "/folder",
        "/folder/",
        "/folder/index.html/x",
        "/loop",
        "/loop/",
        "/loop/more",
        "/one",
        "/two/x",
        "/none",
        "/none/",
        "/.hidden",
        "/;a=b",
        "/?",
        "/??",
        "/?%",
        "/?%ff",
        "/?a=%E0%A4%A",
        "/items/%",
        "/items/%zz",
        "/items/%ff",
        "/items/%00",
        "/items/a%0d%0ab",
        "/items/x?q=%",
        "/items/x?q=%E0%A4%A",
        "/items/x?%ff=%fe&&==&a",
        "/items/\"<>{}|^`",
        "/items/[::]",
        "/items/%23",
        "/items/-",
        "/next",
        "/next/",
        "/next/there.txt/more",
        "/next/%ff",
        "/next/loop",
        "/app.js/x",
        "/.liveline/",
        "/.liveline/%ff",
        "/.liveline/x?after=%",
        "/.liveline/client/%ff",
        "/.liveline/client/../x",
        "/metrics",
        "/sw.js",
        "http://a/",
        "http://a:1/items/x",
        "http://a",
        &format!("/{}", long("x", 256)),
        &format!("/{}", long("x", 5000)),
        &format!("/{}", long("a/", 3000)),
        &format!("/{}", long("%C3%BC", 150)),
        &format!("/items/{}", long("x", 5000)),
        &format!("/next/{}", long("x", 300)),
        &format!("/next{}", long("/f", 4000)),
        &format!("/{}/there.txt", long("y", 300)),
        &format!("/.well-known/{}", long("%2e", 300)),
        &format!("/?{}", long("a=b&", 2000)),
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "X"] {
            let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            let answer = host.raw(request.as_bytes());
            let statuses = statuses(&answer);
            let is_fine = statuses.len() == 1 && (200..500).contains(&statuses[0]);
            let start: String = target.chars().take(60).collect();
            assert!(is_fine, "{method} {start}: {answer}");
        }
    }
    assert_quiet(&host);
}

#[test]
fn any_head_has_an_answer_that_is_no_500() {
    let host = site().serve();

    for (status, head) in [
        (200, "GET /items/x HTTP/1.1\r\nHost: x.example:80"),
        (200, "GET /items/x HTTP/1.1\r\nHost: [::1]:8080"),
        (200, "GET /items/x HTTP/1.1\r\nHost: xn--bcher-kva.example"),
        (400, "GET /items/x HTTP/1.1\r\nHost:"),
        (400, "GET /items/x HTTP/1.1\r\nHost: :80"),
        (400, "GET /items/x HTTP/1.1\r\nHost: x:99999"),
        (400, "GET /items/x HTTP/1.1\r\nHost: 1.2.3.4.5"),
        (400, "GET /items/x HTTP/1.1\r\nHost: 256.256.256.256"),
        (400, "GET /items/x HTTP/1.1\r\nHost: %00"),
        (400, "GET /items/x HTTP/1.1\r\nHost: %zz"),
        (400, "GET /items/x HTTP/1.1\r\nHost: a%20b"),
        (400, "GET /items/x HTTP/1.1\r\nHost: xn--"),
        (400, "GET /items/x HTTP/1.1\r\nHost: [::1"),
        (400, "GET /items/x HTTP/1.1\r\nHost: [v1.x]"),
        (400, "GET /items/x HTTP/1.1\r\nHost: [1]"),
        (400, "GET http://[1]/items/x HTTP/1.1\r\nHost: x"),
        (400, "GET http://x:99999/items/x HTTP/1.1\r\nHost: x"),
        (400, "GET /items/x HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nOrigin: http://y"),
        (400, "GET /items/x HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\nOrigin: http://x"),
        (400, "GET /items/x#a HTTP/1.1\r\nHost: x"),
        (400, "GET /items/x?a#b HTTP/1.1\r\nHost: x"),
        (400, "GET http://x/items/x#a HTTP/1.1\r\nHost: x"),
        (200, "GET /items/x HTTP/1.1\r\nHost: x\r\nCookie: ;;=;a;=b;%;\"\r\nCookie: \u{e9}=1"),
        (200, "GET /items/x HTTP/1.1\r\nHost: x\r\nAccept: ;q=,*/*;q=9,text\r\nAccept-Language: \u{ff}"),
        (200, "GET /items/x HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=\u{e9}"),
        (200, "GET /items/x HTTP/1.1\r\nHost: x\r\nX-Request-Id: \u{e9}\r\nTraceparent: 00-x"),
        (
            200,
            "GET /items/x HTTP/1.1\r\nHost: x\r\nX-Accept-Live: \u{e9}\r\nX-Live-Page: %\r\nSec-Fetch-Mode: x",
        ),
        (200, "GET /there.txt HTTP/1.1\r\nHost: x\r\nIf-None-Match: \",W/\"\"\r\nIf-Modified-Since: never"),
        (200, "GET /there.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=x-y"),
        (416, "GET /there.txt HTTP/1.1\r\nHost: x\r\nRange: bytes=9999-"),
        (200, "GET /there.txt HTTP/1.1\r\nHost: x\r\nIf-Range: x\r\nRange: bytes=0-1"),
        (200, "POST /items/x HTTP/1.1\r\nHost: x\r\nExpect: \u{e9}\r\nContent-Length: 0"),
        (200, "TRACE /items/x HTTP/1.1\r\nHost: x"),
        (200, "GET /items/x HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: upgrade"),
    ] {
        let answer = host.raw(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
        assert_eq!(statuses(&answer), [status], "{head}: {answer}");
    }
    assert_quiet(&host);
}

/// Pieces that heads are made of, and some that they are not.
const PIECES: [&[u8]; 76] = [
    // Methods.
    b"GET ", b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"X ",
    // What a path may begin with.
    b"/", b"/items/", b"/next/", b"/live", b"/there.txt", b"/loop", b"/folder/",
    // What may follow.
    b"/", b"/more", b"x", b"%", b"%ff", b"%00", b"%2e", b"..", b"?", b"&a=", b";", b"\xc3\xbc",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    b"#", b"\\", b"*", b"http://",
    // Versions.
    b" HTTP/1.1\r\n", b" HTTP/1.0\r\n",
    // Whole fields.
    b"Host: x\r\n", b"Origin: null\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Connection: Upgrade\r\n", b"Upgrade: websocket\r\n",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"Sec-WebSocket-Version: 13\r\n", b"Accept: text/html\r\n",
    b"Accept: text/event-stream\r\n", b"X-Accept-Live: *\r\n", b"Cookie: a=%; \xff=;;=\r\n", b"Range: bytes=0-\r\n",
    b"Expect: 100-continue\r\n", b"X-Request-Id: \xff\r\n", b"Content-Type: multipart/form-data\r\n",
    b"Forwarded: for=1.2.3.4;host=%\r\n", b"X-Forwarded-Host: x:99999\r\n", b"X-Forwarded-For: \xff, 1.2.3.4\r\n",
    // And what is none of these.
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b"\0", b"\xff", b"Host: ", b"host:\r\n", b"Origin: ",
    b"Content-Length: ", b"Cookie: ", b"5\r\nhello\r\n", b"1;a=\"b\"\r\nx\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"hello",
    b":", b"[::1]", b"/.liveline/", b"/.well-known/", b"=", b"%zz",
];

/// Where these begin and end among the pieces.
const METHODS: (u64, u64) = (0, 6);
const PATHS: (u64, u64) = (6, 13);
const TARGETS: u64 = 26;
const VERSION: u64 = 30;
const HOST: u64 = 32;
const FIELDS: (u64, u64) = (33, 52);

/// A head that may be read, or one that begins well and goes on as it likes.
fn any_request(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut add = |dice: &mut Dice, from: u64, to: u64| {
        bytes.extend_from_slice(PIECES[(from + dice.below(to - from)) as usize]);
    };
    match dice.below(4) {
        0 | 1 => {
            add(dice, METHODS.0, METHODS.1);
            add(dice, PATHS.0, PATHS.1);
            for _ in 0..dice.below(5) {
                add(dice, PATHS.0, TARGETS);
            }
            add(dice, VERSION, VERSION + 1);
            add(dice, HOST, HOST + 1);
            for _ in 0..dice.below(5) {
                add(dice, FIELDS.0, FIELDS.1);
            }
        }
        2 => {
            add(dice, METHODS.0, METHODS.1);
            add(dice, PATHS.0, TARGETS);
            add(dice, VERSION, VERSION + 2);
            for _ in 0..dice.below(20) {
                add(dice, 0, PIECES.len() as u64);
            }
        }
        _ => {
            for _ in 0..dice.below(24) {
                add(dice, 0, PIECES.len() as u64);
            }
        }
    }
    if dice.below(4) > 0 {
        bytes.extend_from_slice(b"\r\n\r\n");
    }
    bytes
}

/// How many requests are made up, by so many clients at a time.
const REQUESTS: u64 = 1200;
const CLIENTS: u64 = 12;

#[test]
fn random_requests_cause_no_500_and_no_line_in_the_log() {
    let host = || site().arg("--header-timeout=5s").arg("--body-timeout=5s");
    let (host, behind_a_proxy) = (host().serve(), host().arg("--trust-proxy=127.0.0.1").serve());

    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let host = if client % 2 == 0 { &host } else { &behind_a_proxy };
            scope.spawn(move || {
                for seed in (client..REQUESTS).step_by(CLIENTS as usize) {
                    let request = any_request(&mut Dice::new(seed));
                    let answer = ask_and_leave(host, &request);
                    let text = String::from_utf8_lossy(&request);
                    let is_fine = statuses(&answer).iter().all(|status| *status < 500 || *status == 501);
                    assert!(is_fine, "seed {seed}: {text:?}: {answer}");
                }
            });
        }
    });
    assert_quiet(&host);
    assert_quiet(&behind_a_proxy);
}
