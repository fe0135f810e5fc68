//! Conditional requests and ranges (RFC 9110 sections 13 and 14), redirects, and what goes with a status.

use crate::support::{Answer, Host, Site, serve};

const DIGITS: &str = "0123456789";
const LONG_AGO: &str = "Thu, 01 Jan 1970 00:01:40 GMT";
const IN_FUTURE: &str = "Fri, 31 Dec 2100 00:00:00 GMT";

/// A file with and without a handler before it, and a handler's own Response, each with a tag and a date.
fn site() -> Host {
    Site::new()
        .file("public/digits.txt", DIGITS)
        .file("public/deep/digits.txt", DIGITS)
        .file("app/deep/handler.js", "export default (event, next) => next();")
        .file(
            "app/made/handler.js",
            r#"export const GET = () => new Response("0123456789", {
                 headers: { ETag: '"made"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", "Cache-Control": "max-age=9" },
               });
               export const PUT = () => new Response("put", { headers: { ETag: '"made"' } });"#,
        )
        .serve()
}

/// The places to ask, with whether their tags are strong.
const PLACES: [(&str, bool); 3] = [("/digits.txt", false), ("/deep/digits.txt", false), ("/made", true)];

#[track_caller]
fn ask(host: &Host, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = host.request(method, path);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

#[test]
fn conditions_are_judged_in_the_order_of_the_standard() {
    let host = site();
    for (path, is_strong) in PLACES {
        let whole = host.get(path);
        let (tag, date) =
            (whole.header("etag").expect("a tag"), whole.header("last-modified").expect("a date"));
        let opaque = tag.trim_start_matches("W/");
        let (weak, listed) = (format!("W/{opaque}"), format!("\"x\", {opaque} , W/\"y\""));
        let must = if is_strong { 200 } else { 412 };
        for (asked, status) in [
            (vec![("if-none-match", opaque)], 304),
            (vec![("if-none-match", &*weak)], 304),
            (vec![("if-none-match", &*listed)], 304),
            (vec![("if-none-match", "\"x\""), ("if-none-match", opaque)], 304),
            (vec![("if-none-match", "*")], 304),
            (vec![("if-none-match", "\"x\"")], 200),
            (vec![("if-modified-since", date)], 304),
            (vec![("if-modified-since", IN_FUTURE)], 304),
            (vec![("if-modified-since", LONG_AGO)], 200),
            (vec![("if-modified-since", "a while ago")], 200),
            // The tag has precedence over the date.
            (vec![("if-none-match", "\"x\""), ("if-modified-since", date)], 200),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", IN_FUTURE)], 200),
            (vec![("if-none-match", tag), ("if-modified-since", LONG_AGO)], 304),
            (vec![("if-match", tag)], must),
            (vec![("if-match", &*weak)], 412),
            (vec![("if-match", "\"x\"")], 412),
            (vec![("if-match", "*")], 200),
            (vec![("if-match", "*"), ("if-unmodified-since", LONG_AGO)], 200),
            (vec![("if-unmodified-since", date)], 200),
            (vec![("if-unmodified-since", LONG_AGO)], 412),
            (vec![("if-unmodified-since", "a while ago")], 200),
            (vec![("if-match", "\"x\""), ("if-none-match", tag)], 412),
            (vec![("if-match", "*"), ("if-none-match", tag)], 304),
            (vec![("if-unmodified-since", LONG_AGO), ("if-modified-since", IN_FUTURE)], 412),
        ] {
            for method in ["GET", "HEAD"] {
                let answer = ask(&host, method, path, &asked);
                assert_eq!(answer.status, status, "{method} {path} {asked:?}");
                let body = if method == "GET" && status == 200 { DIGITS } else { "" };
                assert_eq!(answer.text(), body, "{method} {path} {asked:?}");
                assert_eq!(answer.header("etag"), Some(tag), "{method} {path} {asked:?}");
                if status == 304 {
                    assert_eq!(answer.header("content-length"), None, "{method} {path} {asked:?}");
                    assert_eq!(
                        answer.header("cache-control"),
                        whole.header("cache-control"),
                        "{path} {asked:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn conditions_are_for_what_would_be_sent() {
    let host = Site::new()
        .file("public/folder/index.html", "<p>")
        .file(
            "app/status/-/handler.js",
            r#"export default function (event) {
                 const status = Number(this.stepname);
                 return new Response(status === 304 ? null : "body", { status, headers: { ETag: '"t"' } });
               }"#,
        )
        .file(
            "app/live/handler.js",
            r#"export default async (event) => {
                 await event.respondWith({ n: 1 }, { done: false, headers: { ETag: '"t"' } });
                 event.waitUntil(new Promise(() => {}));
               }"#,
        )
        .file("app/plain/handler.js", "export default () => 'no tag';")
        .serve();
    for (method, path, asked, status) in [
        ("GET", "/folder", ("if-match", "\"x\""), 301),
        ("GET", "/none", ("if-none-match", "*"), 404),
        ("GET", "/status/200", ("if-none-match", "\"t\""), 304),
        ("GET", "/status/201", ("if-none-match", "\"t\""), 201),
        ("GET", "/status/404", ("if-none-match", "\"t\""), 404),
        ("GET", "/status/500", ("if-match", "\"x\""), 500),
        // A request whose effect has happened is not answered with 412.
        ("POST", "/status/200", ("if-none-match", "\"t\""), 200),
        ("DELETE", "/status/200", ("if-match", "\"x\""), 200),
        ("GET", "/live", ("if-none-match", "\"t\""), 200),
        ("GET", "/plain", ("if-none-match", "*"), 200),
        ("GET", "/plain", ("if-match", "\"x\""), 200),
    ] {
        let answer = ask(&host, method, path, &[asked]);
        assert_eq!(answer.status, status, "{method} {path} {asked:?}");
    }
}

#[test]
fn a_body_that_its_client_has_already_is_cancelled() {
    let host = serve(
        r#"let cancelled = null;
           export default (event, next) => next.stepname === "seen" ? { cancelled } : new Response(new ReadableStream({
             pull: () => new Promise(() => {}),
             cancel: (reason) => { cancelled = reason.name; },
           }), { headers: { ETag: '"t"' } });"#,
    );

    let answer = ask(&host, "GET", "/", &[("if-none-match", "\"t\"")]);

    assert_eq!((answer.status, answer.text()), (304, ""));
    host.until("/seen", |seen| seen.json() == serde_json::json!({ "cancelled": "AbortError" }));
}

#[test]
fn a_range_is_part_of_the_version_that_the_client_has() {
    let host = site();
    for path in ["/digits.txt", "/deep/digits.txt"] {
        let whole = host.get(path);
        let (tag, date) =
            (whole.header("etag").expect("a tag"), whole.header("last-modified").expect("a date"));
        let opaque = tag.trim_start_matches("W/");
        for (if_range, status) in [
            (date, 206),
            (LONG_AGO, 200),
            (IN_FUTURE, 200),
            // A tag that is weak joins no parts.
            (tag, 200),
            (opaque, 200),
            ("\"x\"", 200),
            ("nonsense", 200),
        ] {
            let answer = ask(&host, "GET", path, &[("range", "bytes=2-4"), ("if-range", if_range)]);
            let body = if status == 206 { "234" } else { DIGITS };
            assert_eq!((answer.status, answer.text()), (status, body), "{path} {if_range}");
        }
        // A condition comes first, and a range that cannot be had last.
        let known = ask(&host, "GET", path, &[("range", "bytes=2-4"), ("if-none-match", tag)]);
        assert_eq!((known.status, known.header("content-range")), (304, None));
        let beyond = ask(&host, "GET", path, &[("range", "bytes=99-"), ("if-range", "\"x\"")]);
        assert_eq!((beyond.status, beyond.text()), (200, DIGITS));
        let head = ask(&host, "HEAD", path, &[("range", "bytes=2-4")]);
        assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    }
}

#[test]
fn an_older_file_and_a_second_save_are_seen() {
    let host = Site::new().file("public/a.css", "one").serve();
    let both = |known: &Answer| {
        let [tag, date] =
            ["etag", "last-modified"].map(|name| known.header(name).expect("a validator").to_owned());
        ask(&host, "GET", "/a.css", &[("if-none-match", &tag), ("if-modified-since", &date)])
    };
    let one = host.get("/a.css");
    host.site.write("public/a.css", "two");
    let two = both(&one);
    assert_eq!((two.status, two.text()), (200, "two"));

    host.site.write("public/a.css", "old");
    let file = std::fs::File::options().write(true).open(host.site.path("public/a.css")).expect("the file");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000))
        .expect("a time");
    let old = both(&two);
    assert_eq!((old.status, old.text()), (200, "old"));
}

#[test]
fn a_folder_is_led_to_by_its_own_address() {
    let host = Site::new()
        .file("public/docs/index.html", "docs")
        .file("public/caf\u{e9} \u{65e5}/index.html", "coffee")
        .file("public/deep/down/index.html", "down")
        .file("app/deep/handler.js", "export default (event, next) => next();")
        .file("app/to/handler.js", "export default (event, next) => next('/docs?x=\u{e9}&y=1');")
        .serve();
    for (path, location) in [
        ("/docs", "/docs/"),
        ("/docs?", "/docs/?"),
        ("/docs?a=1&b=%C3%A9&c=a/b?d", "/docs/?a=1&b=%C3%A9&c=a/b?d"),
        ("//docs?a", "/docs/?a"),
        ("/caf%C3%A9%20%E6%97%A5?q", "/caf%C3%A9%20%E6%97%A5/?q"),
        ("/caf%c3%a9%20%e6%97%a5", "/caf%c3%a9%20%e6%97%a5/"),
        ("/deep/down?z=1", "/deep/down/?z=1"),
        ("/to?not=this", "/docs/?x=%C3%A9&y=1"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = host.request(method, path).send();
            assert_eq!((answer.status, answer.header("location")), (301, Some(location)), "{method} {path}");
        }
    }
    for path in ["/docs/?a=1", "/caf%C3%A9%20%E6%97%A5/?q", "/deep/down/?z"] {
        assert_eq!(host.get(path).status, 200, "{path}");
    }
}

#[test]
fn addresses_beyond_ascii_are_escaped_once() {
    let host = serve(
        r#"export default async function (event) {
             const { how, to } = await event.request.json();
             switch (how) {
               case "redirect": return event.redirect(to);
               case "Response": return Response.redirect(to, 307);
               case "absolute": return Response.redirect(new URL(to, event.url));
               case "headers": return new Response(null, { status: 303, headers: { Location: to } });
               case "state": return event.respondWith(null, { headers: { Location: to } });
               case "map":
                 event.user.defineHandler("name", to);
                 return event.user.require("name");
             }
           }"#,
    );
    let lead = |how: &str, to: &str| {
        let answer = host.request("POST", "/").json(&serde_json::json!({ "how": how, "to": to })).send();
        let location = answer.header("location").unwrap_or_else(|| panic!("{how} {to}: {answer:?}"));
        (answer.status, location.replace(&format!("http://{}", host.address()), ""))
    };
    for (to, location) in [
        ("/plain?a=b#c", "/plain?a=b#c"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/a b", "/a%20b"),
        ("/100%25", "/100%25"),
        ("/%2e%2F?q=%20", "/%2e%2F?q=%20"),
    ] {
        for (how, status) in
            [("redirect", 302), ("Response", 307), ("headers", 303), ("state", 302), ("map", 302)]
        {
            assert_eq!(lead(how, to), (status, location.to_owned()), "{how} {to}");
        }
        if !to.contains("%2e") {
            assert_eq!(lead("absolute", to), (302, location.to_owned()), "{to}");
        }
    }
    // What no header can hold at all.
    for how in ["redirect", "Response", "absolute", "map"] {
        let (_, location) = lead(how, "/\u{65e5}\u{672c}/\u{1f600}?q=\u{e9}");
        assert_eq!(location, "/%E6%97%A5%E6%9C%AC/%F0%9F%98%80?q=%C3%A9", "{how}");
    }
}

/// A Response whose stream has the parts that the query lists.
const STREAMED: &str = r#"
    export default (event) => {
      const { searchParams } = event.url;
      const parts = searchParams.getAll("part");
      const body = new ReadableStream({
        async pull(controller) {
          const part = parts.shift();
          if (part === undefined) return controller.close();
          controller.enqueue(new TextEncoder().encode(part));
        },
      });
      return new Response(body, { headers: { "Content-Length": searchParams.get("length") } });
    }"#;

#[test]
fn a_stream_of_known_length_has_a_content_length() {
    let host = serve(STREAMED);
    let whole = host.raw(b"GET /?part=ab&part=cd&length=4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(whole.contains("content-length: 4\r\n") && whole.ends_with("\r\n\r\nabcd"), "{whole}");
    assert!(!whole.contains("transfer-encoding"), "{whole}");
    let head = host.request("HEAD", "/?part=ab&part=cd&length=4").send();
    assert_eq!((head.header("content-length"), head.text()), (Some("4"), ""));

    for unreadable in ["x", "-4", "4,4", "4.0", ""] {
        let answer = host.get(&format!("/?part=ab&part=cd&length={unreadable}"));
        assert_eq!((answer.header("content-length"), answer.text()), (None, "abcd"), "{unreadable}");
    }
}

#[test]
fn a_stream_of_another_length_ends_its_connection_and_is_logged() {
    let host = serve(STREAMED);
    for (query, sent, why) in [
        ("part=ab&part=cd&length=5", "abcd", "it ended 1 bytes before its Content-Length of 5"),
        ("length=1", "", "it ended 1 bytes before its Content-Length of 1"),
        ("part=ab&part=cd&length=3", "ab", "the body is longer than its Content-Length of 3"),
        ("part=abcd&length=3", "", "the body is longer than its Content-Length of 3"),
    ] {
        // Two requests at once: what one answer has too much would be taken for the other.
        let request = format!("GET /?{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        let heard = host.raw(request.repeat(2).as_bytes());
        let (_, body) = heard.split_once("\r\n\r\n").expect("a head");
        assert_eq!(body, sent, "{query}");
        assert!(host.log.next("a response's stream failed").contains(why), "{query}");
    }
}

#[test]
fn some_statuses_leave_no_place_for_a_body() {
    let host = serve(
        r#"export default async function (event) {
             const { searchParams } = event.url;
             const status = Number(searchParams.get("status"));
             const headers = { "Content-Length": "3", "Content-Type": "text/plain" };
             if (searchParams.has("state")) await event.respondWith("abc", { status, headers });
             else return new Response(null, { status, headers });
           }"#,
    );
    for (status, length) in [(204, None), (205, Some("0")), (304, None)] {
        for how in ["", "&state"] {
            // A second answer on the connection shows where the first ended.
            let request = format!("GET /?status={status}{how} HTTP/1.1\r\nHost: x\r\n");
            let last = "GET /?status=200&state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            let heard = host.raw(format!("{request}\r\n{last}").as_bytes());
            let (first, second) = heard.split_once("\r\n\r\n").expect("a head");
            let said = first.lines().find_map(|line| line.strip_prefix("content-length: "));
            assert_eq!(said, length, "{status}{how}: {heard}");
            assert!(
                second.starts_with("HTTP/1.1 200 OK\r\n") && second.ends_with("\r\n\r\nabc"),
                "{status}{how}: {heard}"
            );
        }
    }
    let head = host.request("HEAD", "/?status=200").send();
    assert_eq!((head.header("content-length"), head.text()), (Some("3"), ""));
    for impossible in [100, 103, 199, 600] {
        assert_eq!(host.get(&format!("/?status={impossible}&state")).status, 500, "{impossible}");
    }
}
