//! Bodies that are passed on, and answers that do not wait for one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Host, Site, read_until, serve};

const TEXT: &str =
    "what the upstream says, said often enough to be worth it; said often enough to be worth it";

/// A server whose every answer is this text, compressed or not.
fn upstream(is_compressed: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut body = TEXT.as_bytes().to_vec();
    let mut coding = "";
    if is_compressed {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&body).expect("memory can be written to");
        body = encoder.finish().expect("memory can be written to");
        coding = "Content-Encoding: gzip\r\n";
    }
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).expect("a request") == 0 {
                    break;
                }
                head.extend(byte);
            }
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Own: 1\r\n{coding}Content-Length: {length}\r\n\
                 Connection: close\r\n\r\n"
            );
            let body = if head.starts_with(b"HEAD ") { &[][..] } else { &body };
            // The client may have closed already.
            let _ = stream.write_all(&[answer.as_bytes(), body].concat());
        }
    });
    address
}

/// Passes the upstream's answer on in the way that the path names.
fn proxy(upstream: SocketAddr) -> Host {
    let handler = r#"
        const upper = () => new TransformStream({
          transform: (chunk, c) => c.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk) + "!")),
        });
        export default async function (event, next) {
          const res = await fetch("http://UPSTREAM/", { method: event.request.method });
          switch (next.stepname) {
            case "itself": return res;
            case "response": return new Response(res.body, res);
            case "init": return new Response(res.body, { status: res.status, headers: res.headers });
            case "headers": return new Response(res.body, { headers: new Headers(res.headers) });
            case "entries": return new Response(res.body, { headers: [...res.headers] });
            case "object": return new Response(res.body, { headers: Object.fromEntries(res.headers) });
            case "clone": return new Response(res.clone().body, res);
            case "tee": return new Response(res.body.tee()[0], res);
            case "bytes": return new Response(await res.arrayBuffer(), { headers: new Headers(res.headers) });
            case "blob": return new Response(await res.blob(), res);
            case "text": return new Response(await res.text(), { headers: new Headers(res.headers) });
            case "state": return event.respondWith(res.body, { headers: res.headers });
            case "longer-text": return new Response(`${await res.text()}!`, res);
            case "longer-stream": return new Response(res.body.pipeThrough(upper()), res);
            case "longer-init": return new Response(res.body.pipeThrough(upper()), { headers: res.headers });
            case "longer-copy": {
              const headers = new Headers(new Headers(res.headers));
              headers.set("X-More", "1");
              return new Response(res.body.pipeThrough(upper()), { headers });
            }
            case "own-length": {
              const headers = new Headers(res.headers);
              headers.set("Content-Length", "1");
              return new Response(new Blob(["x"]).stream(), { headers });
            }
          }
        }"#;
    serve(&handler.replace("UPSTREAM", &upstream.to_string()))
}

#[test]
fn what_is_made_of_an_upstreams_answer_can_be_read() {
    let same = [
        "itself", "response", "init", "headers", "entries", "object", "clone", "tee", "bytes", "blob",
        "text", "state",
    ];
    for is_compressed in [true, false] {
        let host = proxy(upstream(is_compressed));
        let longer = ["longer-text", "longer-stream", "longer-init", "longer-copy"];
        let ways = same.map(|way| (way, TEXT.to_owned())).into_iter();
        let ways = ways.chain(longer.map(|way| (way, format!("{TEXT}!"))));
        for (way, text) in ways.chain([("own-length", "x".to_owned())]) {
            let answer = host.get(&format!("/{way}"));
            assert_eq!((answer.status, answer.text()), (200, &*text), "{way}");
            assert_eq!(answer.header("x-own"), Some("1"), "{way}");
            assert_eq!(answer.header("content-encoding"), None, "{way}");
            if let Some(length) = answer.header("content-length") {
                assert_eq!(length, text.len().to_string(), "{way}");
            }
        }
        assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
    }
}

#[test]
fn what_is_made_of_a_file_has_a_length_of_its_own() {
    let host = Site::new()
        .file("public/page.txt", TEXT)
        .file(
            "app/handler.js",
            r#"export default async function (event, next) {
                 const file = await next();
                 const twice = () => new TransformStream({ transform: (chunk, c) => { c.enqueue(chunk); c.enqueue(chunk); } });
                 switch (event.url.search) {
                   case "?same": return new Response(file.body, file);
                   case "?twice": return new Response(file.body.pipeThrough(twice()), file);
                   case "?copy": return new Response(file.body.pipeThrough(twice()), { headers: new Headers(file.headers) });
                   case "?own": {
                     const headers = new Headers(file.headers);
                     headers.set("Content-Length", String(2 * Number(headers.get("Content-Length"))));
                     return new Response(file.body.pipeThrough(twice()), { headers });
                   }
                 }
               }"#,
        )
        .serve();
    let twice = TEXT.repeat(2);
    for (query, text, length) in [
        ("same", TEXT, Some(TEXT.len())),
        ("twice", &twice, None),
        ("copy", &twice, None),
        ("own", &twice, Some(twice.len())),
    ] {
        let answer = host.get(&format!("/page.txt?{query}"));
        assert_eq!((answer.status, answer.text()), (200, text), "{query}");
        assert_eq!(
            answer.header("content-length").map(str::to_owned),
            length.map(|it| it.to_string()),
            "{query}"
        );
    }
    assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
}

#[test]
fn the_length_of_a_body_that_is_passed_on_is_kept() {
    let host = proxy(upstream(false));
    let length = TEXT.len().to_string();
    for way in ["itself", "response", "init", "headers"] {
        assert_eq!(host.get(&format!("/{way}")).header("content-length"), Some(&*length), "{way}");
        // Without a body the upstream sets it.
        let head = host.request("HEAD", &format!("/{way}")).send();
        assert_eq!((head.header("content-length"), head.text()), (Some(&*length), ""), "{way}");
    }
}

/// How much is announced, and how much of it is sent at once: more than the system keeps.
const UPLOAD: usize = 64 * 1024 * 1024;

/// Sends an endless body, and meanwhile reads the answer: its status, and how long its body is.
fn upload(host: &Host, path: &str, head: &str) -> (String, usize) {
    let mut stream = host.connect();
    write!(stream, "POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n").expect("the host reads");
    let mut writer = stream.try_clone().expect("a second handle");
    let is_chunked = head.contains("chunked");
    let sending = thread::spawn(move || {
        let bytes = vec![b'x'; 0x10000];
        let chunk = if is_chunked { [b"10000\r\n", &*bytes, b"\r\n"].concat() } else { bytes };
        // The host may answer and close before it has everything.
        for _ in 0..UPLOAD / 0x10000 {
            if writer.write_all(&chunk).is_err() {
                break;
            }
        }
    });
    let (mut heard, mut piece) = (Vec::new(), vec![0; 4096]);
    loop {
        // In small pieces, so that what the system does not take at once waits in the host.
        match stream.read(&mut piece).expect("the answer comes whole") {
            0 => break,
            length => heard.extend_from_slice(&piece[..length]),
        }
    }
    drop(stream);
    sending.join().expect("the sender ends");
    let at = heard.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let status = String::from_utf8_lossy(&heard[9..12]).into_owned();
    (status, heard.len() - at - 4)
}

#[test]
fn an_answer_that_does_not_wait_for_the_body_comes_whole() {
    let host = Site::new()
        .file("small/handler.js", "export const POST = () => new Response('not you', { status: 401 });")
        .file(
            "large/handler.js",
            "export const POST = () => new Response('x'.repeat(5_000_000), { status: 409 });",
        )
        .file(
            "stream/handler.js",
            r#"export const POST = () => {
                 let left = 50;
                 return new Response(new ReadableStream({
                   pull: (c) => left-- > 0 ? c.enqueue(new Uint8Array(100_000)) : c.close(),
                 }), { status: 422, headers: { "Content-Length": "5000000" } });
               };"#,
        )
        .file(
            "late/handler.js",
            r#"export const POST = async (event) => {
                 await event.request.body.getReader().read();
                 return new Response("x".repeat(5_000_000), { status: 403 });
               };"#,
        )
        .arg("--max-body")
        .arg("100MiB")
        .serve();
    for (path, status, length) in [
        ("/small", "401", 7),
        ("/large", "409", 5_000_000),
        ("/stream", "422", 5_000_000),
        ("/late", "403", 5_000_000),
    ] {
        for head in [format!("Content-Length: {UPLOAD}"), "Transfer-Encoding: chunked".to_owned()] {
            assert_eq!(upload(&host, path, &head), (status.to_owned(), length), "{path} {head}");
        }
    }
}

#[test]
fn a_form_that_a_handler_makes_is_read_as_it_was() {
    let host = serve(
        r#"const fields = async (form) => {
             const all = [];
             for (const [name, value] of form) {
               all.push(typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()]);
             }
             return all;
           };
           export default async function (event) {
             if (event.request.method === "POST") return await fields(await event.request.formData());
             const form = new FormData();
             form.append('a"b\r\nc;\u00e9\\', 'v"\r\nw\r\n--x');
             form.append("empty", "");
             form.append("file", new File(["abc\r\n--"], 'x"y;\u65e5\\.txt', { type: "text/x" }));
             form.append("file", new File([], ""));
             const made = new Response(form);
             const sent = await fetch(event.url, { method: "POST", body: form });
             return { own: await fields(form), read: await fields(await made.formData()), sent: await sent.json() };
           }"#,
    );
    let answer = host.get("/").json();
    let own = serde_json::json!([
        ["a\"b\r\nc;\u{e9}\\", "v\"\r\nw\r\n--x"],
        ["empty", ""],
        ["file", "x\"y;\u{65e5}\\.txt", "text/x", "abc\r\n--"],
        ["file", "", "application/octet-stream", ""],
    ]);
    assert_eq!(answer["read"], own);
    assert_eq!(answer["sent"], own);
}

#[test]
fn a_request_body_can_be_the_answer() {
    let host = serve("export const POST = (event) => new Response(event.request.body);");
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();

    let answer = host.request("POST", "/").body(body.clone()).send();

    assert_eq!((answer.status, answer.body.len()), (200, body.len()));
    assert!(answer.body == body, "the bytes are others");
}

#[test]
fn a_body_is_the_same_whether_it_comes_with_the_head_or_after_it() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"const again = async (request) => {
                 const error = await request.text().catch((error) => error);
                 return `${request.bodyUsed} ${error.name}`;
               };
               export const POST = async ({ request, url }) => {
                 const way = url.search.slice(1);
                 const used = request.bodyUsed;
                 const read = await request[way]();
                 const value = way === "arrayBuffer" ? [...new Uint8Array(read)] : way === "bytes" ? [...read] : read;
                 return { used, value, again: await again(request) };
               };"#,
        )
        .arg("--max-body")
        .arg("100")
        .serve();
    let long = format!("{:?}", "x".repeat(200));
    let cases: [(&str, &[u8], &str); 7] = [
        ("text", b"plain", r#""plain""#),
        ("text", b"\xef\xbb\xbf\xc3\xa9\xff", "\"\u{e9}\u{fffd}\""),
        ("json", b"\xef\xbb\xbf[1,\"\xc3\xa9\"]", "[1,\"\u{e9}\"]"),
        ("bytes", b"\xef\xbb\xbf\xff", "[239,187,191,255]"),
        ("arrayBuffer", b"ab", "[97,98]"),
        ("json", b"[1,", "400"),
        ("text", long.as_bytes(), "413"),
    ];
    for (way, body, value) in cases {
        let head = format!(
            "POST /?{way} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answers = [true, false].map(|is_together| {
            let mut stream = host.connect();
            let mut heard = Vec::new();
            if is_together {
                stream.write_all(&[head.as_bytes(), body].concat()).expect("the host reads");
            } else {
                // The answer to a request before shows that the head was read without the body.
                let before = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
                stream.write_all(&[before, &head].concat().into_bytes()).expect("the host reads");
                heard = read_until(&mut stream, "\r\n\r\n").into_bytes();
                // What is too large is refused by its head.
                let _ = stream.write_all(body);
            }
            // A client whose body is not read sees the connection reset.
            let _ = stream.read_to_end(&mut heard);
            String::from_utf8_lossy(&heard).into_owned()
        });
        for answer in answers {
            let expected = match value {
                "400" | "413" => format!("HTTP/1.1 {value} "),
                value => format!(r#"{{"used":false,"value":{value},"again":"true TypeError"}}"#),
            };
            assert!(answer.contains(&expected), "{way}: {answer} has no {expected}");
        }
    }
}

/// Stays on the line after its answer, for which `/late` waits until it is released. `/read` reads the body after that.
const STAYS: &str = r#"
    const release = Promise.withResolvers();
    export default async (event, next) => {
      if (next.stepname === "release") return release.resolve(), "released";
      if (next.stepname === "next") return "the next answer";
      if (next.stepname === "late") await release.promise;
      await event.respondWith("live", { done: false });
      if (next.stepname === "read") {
        await release.promise;
        console.log(`read: ${await event.request.text()}`);
      }
      event.waitUntilNavigate();
    };"#;

const NEXT: &str = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

/// The head of a live request with a body of this length.
fn live_head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nX-Accept-Live: *\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn a_body_that_comes_before_a_live_answer_and_is_not_read_holds_up_no_request() {
    let host = serve(STAYS);
    let mut stream = host.connect();
    let heads = [NEXT, &live_head("/late", 8)].concat();
    stream.write_all(heads.as_bytes()).expect("the host reads");
    // It shows that the head was read without the body.
    read_until(&mut stream, "the next answer");

    stream.write_all(b"name=Ada").expect("the host reads");
    host.get("/release");
    let answer = read_until(&mut stream, "\r\n\r\nlive");
    stream.write_all(NEXT.as_bytes()).expect("the host reads");

    assert!(!answer.contains("connection: close"), "{answer}");
    read_until(&mut stream, "the next answer");
}

#[test]
fn a_live_answer_before_the_end_of_a_body_that_is_not_read_ends_the_connection() {
    let host = serve(STAYS);
    for length in [8, 300_000] {
        let mut stream = host.connect();
        stream.write_all(live_head("/", length).as_bytes()).expect("the host reads");

        let answer = read_until(&mut stream, "\r\n\r\nlive");

        assert!(answer.contains("connection: close"), "{length}: {answer}");
    }
}

#[test]
fn a_handler_can_read_the_body_after_its_live_answer() {
    let host = serve(STAYS);
    let mut stream = host.connect();
    stream.write_all(live_head("/read", 8).as_bytes()).expect("the host reads");
    read_until(&mut stream, "\r\n\r\nlive");

    stream.write_all(b"name=Ada").expect("the host reads");
    host.get("/release");

    host.prints("read: name=Ada");
}

#[test]
fn the_signal_does_not_abort_while_a_body_is_sent() {
    let host = serve(
        r#"
        const finish = Promise.withResolvers();
        export default (event, next) => {
          if (next.stepname === "finish") return finish.resolve(), "finished";
          const { signal } = event;
          signal.addEventListener("abort", () => console.error("aborted"));
          const encoder = new TextEncoder();
          const start = async (controller) => {
            controller.enqueue(encoder.encode("begun;"));
            await finish.promise;
            controller.enqueue(encoder.encode(signal.aborted ? "too early;" : "in time;"));
            controller.close();
          };
          return new Response(new ReadableStream({ start }));
        };"#,
    );

    let mut stream = host.begin("GET", "/");
    read_until(&mut stream, "begun;");
    host.get("/finish");

    let rest = read_until(&mut stream, ";");
    assert!(rest.contains("in time;"), "{rest}");
    host.log.next("aborted");
}
