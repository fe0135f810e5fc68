//! Parts of a handler's Response (RFC 9110 section 14).

use crate::support::{Answer, Host, Site};

/// At the path of its kind, a body of the digits.
const KINDS: &str = r#"
    const bytes = new TextEncoder().encode("0123456789");
    const headers = { "Content-Type": "text/x", ETag: '"v1"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT" };
    const stream = () => new ReadableStream({
      start(controller) {
        for (const chunk of [bytes.subarray(0, 3), bytes.subarray(3, 4), bytes.subarray(4)]) controller.enqueue(chunk);
        controller.close();
      },
    });
    const with_ = (more) => ({ headers: { ...headers, ...more } });
    export default function (event, next) {
      switch (next.stepname) {
        case "bytes": return new Response(bytes, with_({}));
        case "buffer": return new Response(bytes.buffer, with_({}));
        case "blob": return new Response(new Blob([bytes]), with_({}));
        case "text": return new Response("0123456789", with_({ "Accept-Ranges": "bytes" }));
        case "stream": return new Response(stream(), with_({ "Accept-Ranges": "bytes", "Content-Length": "10" }));
        case "sent": event.respondWith(new Response(bytes, with_({}))); return;
        case "plain": return new Response("0123456789", with_({}));
        case "unsaid": return new Response(stream(), with_({}));
        case "none": return new Response(bytes, with_({ "Accept-Ranges": "none" }));
        case "encoded": return new Response(bytes, with_({ "Content-Encoding": "x" }));
        case "created": return new Response(bytes, { ...with_({}), status: 201 });
        case "part": return new Response(bytes, with_({ "Content-Range": "bytes 0-9/20" }));
        case "live": event.waitUntilNavigate(); return new LiveResponse(new Response(bytes, with_({})), { done: false });
        case "data": return [0, 1, 2];
      }
    }"#;

/// The kinds that are had in parts.
const PARTED: [&str; 6] = ["bytes", "buffer", "blob", "text", "stream", "sent"];

fn host() -> Host {
    Site::new().file("handler.js", KINDS).serve()
}

fn ask(host: &Host, kind: &str, headers: &[(&str, &str)]) -> Answer {
    let request = host.request("GET", &format!("/{kind}"));
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

#[test]
fn one_range_is_a_206() {
    let host = host();
    for kind in PARTED {
        for (range, text, said) in [
            ("bytes=2-5", "2345", "bytes 2-5/10"),
            ("bytes=0-0", "0", "bytes 0-0/10"),
            ("bytes=7-", "789", "bytes 7-9/10"),
            ("bytes=-3", "789", "bytes 7-9/10"),
            ("bytes=-99", "0123456789", "bytes 0-9/10"),
            ("bytes=8-99", "89", "bytes 8-9/10"),
            ("BYTES = 3-3", "3", "bytes 3-3/10"),
            ("bytes=3-4, 50-60", "34", "bytes 3-4/10"),
        ] {
            let answer = ask(&host, kind, &[("range", range)]);

            assert_eq!((answer.status, answer.text()), (206, text), "{kind} {range}: {answer:?}");
            assert_eq!(answer.header("content-range"), Some(said), "{kind} {range}");
            assert_eq!(answer.header("content-length"), Some(&*text.len().to_string()), "{kind} {range}");
            assert_eq!(answer.header("accept-ranges"), Some("bytes"), "{kind} {range}");
            assert_eq!(answer.header("content-type"), Some("text/x"), "{kind} {range}");
            assert_eq!(answer.header("etag"), Some("\"v1\""), "{kind} {range}");
        }
    }
}

#[test]
fn several_ranges_are_one_body_of_parts() {
    let host = host();
    for kind in PARTED.into_iter().filter(|kind| *kind != "stream") {
        let answer = ask(&host, kind, &[("range", "bytes=5-6,0-1")]);

        assert_eq!(answer.status, 206, "{kind}");
        let boundary =
            answer.header("content-type").and_then(|it| it.strip_prefix("multipart/byteranges; boundary="));
        let boundary = boundary.unwrap_or_else(|| panic!("{kind}: {answer:?}"));
        let part = |range: &str, text: &str| {
            format!(
                "--{boundary}\r\ncontent-type: text/x\r\ncontent-range: bytes {range}/10\r\n\r\n{text}\r\n"
            )
        };
        let expected = format!("{}{}--{boundary}--\r\n", part("5-6", "56"), part("0-1", "01"));
        assert_eq!(answer.text(), expected, "{kind}");
        assert_eq!(answer.header("content-range"), None, "{kind}");
    }
}

#[test]
fn a_range_beyond_the_end_is_a_416() {
    let host = host();
    for kind in PARTED {
        for range in ["bytes=10-", "bytes=50-60", "bytes=-0", "bytes=10-11,20-"] {
            let answer = ask(&host, kind, &[("range", range)]);

            assert_eq!((answer.status, answer.text()), (416, ""), "{kind} {range}");
            assert_eq!(answer.header("content-range"), Some("bytes */10"), "{kind} {range}");
        }
    }
}

#[test]
fn what_is_no_list_of_ranges_gets_the_whole() {
    let host = host();
    let many = format!("bytes={}", ["0-0"; 17].join(","));
    for range in ["bytes=5-2", "bytes=a-b", "bytes=-", "bytes=", "lines=1-2", "1-2", "bytes=0-9,0-9", &many] {
        let answer = ask(&host, "bytes", &[("range", range)]);

        assert_eq!((answer.status, answer.text()), (200, "0123456789"), "{range}");
    }
    assert_eq!(ask(&host, "stream", &[("range", "bytes=0-1,5-6")]).status, 200, "a stream passes once");
}

#[test]
fn a_range_of_another_version_gets_the_whole() {
    let host = host();
    let date = "Thu, 01 Jan 2026 00:00:00 GMT";
    for (condition, status) in [
        ("\"v1\"", 206),
        ("\"v2\"", 200),
        ("W/\"v1\"", 200),
        (date, 206),
        ("Fri, 02 Jan 2026 00:00:00 GMT", 200),
        ("nonsense", 200),
    ] {
        for kind in PARTED {
            let answer = ask(&host, kind, &[("range", "bytes=0-1"), ("if-range", condition)]);

            assert_eq!(answer.status, status, "{kind} {condition}");
        }
    }
}

#[test]
fn what_has_no_parts_is_sent_whole() {
    let host = host();
    for kind in ["plain", "unsaid", "none", "encoded", "created", "part", "live", "data"] {
        let answer = ask(&host, kind, &[("range", "bytes=0-1")]);

        assert!(answer.status == 200 || answer.status == 201, "{kind}: {answer:?}");
        assert!(answer.text().len() > 2, "{kind}: {answer:?}");
    }
    for method in ["HEAD", "POST"] {
        assert_eq!(
            host.request(method, "/bytes").header("range", "bytes=0-1").send().status,
            200,
            "{method}"
        );
    }
}

#[test]
fn a_stream_is_not_read_beyond_its_part() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"let cancelled = false;
               export default function (event, next) {
                 if (next.stepname) return { cancelled };
                 const chunk = new Uint8Array(4).fill(65);
                 const body = new ReadableStream({ pull: (controller) => controller.enqueue(chunk), cancel: () => cancelled = true });
                 return new Response(body, { headers: { "Accept-Ranges": "bytes", "Content-Length": "1000000000000" } });
               }"#,
        )
        .serve();

    assert_eq!(ask(&host, "", &[("range", "bytes=2-9")]).text(), "AAAAAAAA");

    host.until("/seen", |answer| answer.text().contains("true"));
}
