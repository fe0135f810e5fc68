//! What signals do: the end, a reload, nothing. And a process that was stopped for a while.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use crate::support::{Event, Host, Line, PROTOCOL, Site, handler, read_to_close, read_until};

/// Sends every message back.
fn echo() -> String {
    handler(
        r#"
        event.client.addEventListener("say", (e) => event.client.postMessage(e.data, { type: "said" }));
        event.waitUntil(new Promise(() => {}));
        return { is: "live" };"#,
    )
}

/// A request that is being answered when this returns.
fn begin(host: &Host) -> TcpStream {
    let stream = host.begin("GET", "/");
    host.log.next("working");
    stream
}

/// Waits for as long as its client does.
const WAITING: &str = r#"
    export default (event) => {
      console.error("working");
      return new Promise((r) => event.signal.addEventListener("abort", r));
    }"#;

#[track_caller]
fn says(line: &mut Line, text: &str) {
    line.send("say", json!(text));
    assert_eq!(line.expect("said"), json!(text));
}

#[test]
fn a_hangup_reloads_the_code() {
    let version = |n: u8| handler(&format!("event.waitUntil(new Promise(() => {{}})); return {{ n: {n} }};"));
    let host = Site::new().file("handler.js", version(1)).serve();
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "n": 1 }));

    host.site.write("handler.js", version(2));
    host.signal("HUP");
    host.log.next("reloaded");

    assert_eq!(host.get("/").json(), json!({ "n": 2 }));
    host.signal("TERM");
    assert_eq!(line.closed(), 1012, "it stayed until then");
}

#[test]
fn a_hangup_that_finds_code_that_does_not_load_changes_nothing() {
    for mode in ["serve", "dev"] {
        let site = Site::new().file("handler.js", "export default () => 'old';");
        let host = if mode == "serve" { site.serve() } else { site.dev() };

        host.site.write("handler.js", "export default () => {");
        host.signal("HUP");
        host.log.next("reload failed");

        assert_eq!(host.get("/").text(), "old", "{mode}");
        host.site.write("handler.js", "export default () => 'new';");
        host.signal("HUP");
        host.log.next("reloaded");
        assert_eq!(host.get("/").text(), "new", "{mode}");
    }
}

#[test]
fn a_hangup_makes_dev_try_again() {
    let site = Site::new().file("handler.js", "export default () => {");
    let mut host = site.begin_dev();
    host.log.next("waiting for a change");

    host.signal("HUP");
    host.log.next("waiting for a change");
    host.site.write("handler.js", "export default () => 'good';");
    host.ready();

    host.until("/", |answer| answer.text() == "good");
}

/// A shell whose terminal is closed sends SIGHUP as well, and the process must end by itself.
#[cfg(target_os = "linux")]
#[test]
fn a_hangup_of_a_terminal_that_is_gone_drains() {
    use std::fs::OpenOptions;
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::process::{Command, Stdio};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use crate::support::Log;

    let terminal =
        openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&terminal).expect("a terminal");
    unlockpt(&terminal).expect("a terminal");
    let name = ptsname(&terminal, Vec::new()).expect("its name").into_string().expect("text");
    let no_control = OpenptFlags::NOCTTY.bits() as i32;
    let inner =
        OpenOptions::new().read(true).write(true).custom_flags(no_control).open(name).expect("its end");
    let site = Site::new().file("handler.js", "export default () => 'fine';");
    let mut line = site.command("serve");
    line.arg("--port=0").stdin(inner).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = line.spawn().expect("it starts");
    drop(line);
    let ready = Log::follow("stdout", process.stdout.take().expect("it is piped"));
    let log = Log::follow("stderr", process.stderr.take().expect("it is piped"));
    let hang_up = || {
        let kill = format!("kill -HUP {}", process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    };

    ready.next("listening on ");
    hang_up();
    log.next("reloaded");
    drop(terminal);
    hang_up();
    log.next("stopping");

    assert_eq!(process.wait().expect("a child").code(), Some(0));
}

/// A stream of the type that its path names, which goes on for ever, or with `?ends` until the request's body has come.
const STREAMS: &str = r#"
    export default function (event, next) {
      const { searchParams } = event.url;
      const headers = { "Content-Type": decodeURIComponent(next.stepname) };
      if (searchParams.has("length")) headers["Content-Length"] = "12";
      const encoder = new TextEncoder();
      return new Response(new ReadableStream({
        async start(controller) {
          controller.enqueue(encoder.encode("first\n"));
          await (searchParams.has("ends") ? event.request.text() : new Promise(() => {}));
          controller.enqueue(encoder.encode("last.\n"));
          controller.close();
        },
        cancel: (reason) => console.error("cancelled:", reason.name),
      }), { headers });
    }"#;

/// Asks for a stream, and returns its connection when its first line was read.
#[track_caller]
fn stream(host: &Host, path: &str) -> TcpStream {
    let mut stream = host.begin("GET", path);
    read_until(&mut stream, "first\n");
    stream
}

#[test]
fn streams_of_events_end_with_the_process_and_in_order() {
    for signal in ["TERM", "INT"] {
        let mut host =
            Site::new().file("handler.js", STREAMS).arg("--drain-timeout=10m").arg("--workers=2").serve();
        let streams = ["text%2Fevent-stream", "Text%2FEvent-Stream;charset=utf-8", "application%2Fx-ndjson"]
            .map(|kind| stream(&host, &format!("/{kind}")));

        host.signal(signal);

        for stream in streams {
            // The body is ended in order, so that the client knows that it is complete.
            let rest = read_to_close(&stream);
            assert!(rest.ends_with("0\r\n\r\n") && !rest.contains("last"), "{rest:?}");
            // The source of the stream is cancelled.
            assert!(host.log.next("cancelled").contains("AbortError"));
        }
        assert_eq!(host.ended(), Some(0), "{signal}");
        assert!(!host.log.text().contains("ERROR"), "{}", host.log.text());
    }
}

#[test]
fn a_stream_of_an_older_generation_ends_as_well() {
    let mut host = Site::new().file("handler.js", STREAMS).arg("--drain-timeout=10m").serve();
    let stream = stream(&host, "/text%2Fevent-stream");
    host.signal("HUP");
    host.log.next("reloaded");

    host.signal("TERM");

    assert!(read_to_close(&stream).ends_with("0\r\n\r\n"));
    assert_eq!(host.ended(), Some(0));
}

#[test]
fn what_is_no_stream_of_events_is_sent_to_its_end() {
    let mut host = Site::new().file("handler.js", STREAMS).arg("--drain-timeout=10m").serve();
    let paths =
        ["/text%2Fplain?ends", "/application%2Foctet-stream?ends", "/text%2Fevent-stream?ends&length"];
    let streams = paths.map(|path| {
        let mut stream =
            connection(&host, &format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"));
        read_until(&mut stream, "first\n");
        stream
    });

    host.signal("TERM");
    host.log.next("stopping");

    for (mut stream, path) in streams.into_iter().zip(paths) {
        stream.write_all(b"x").expect("the host reads");
        let rest = read_to_close(&stream);
        assert!(rest.contains("last.\n"), "{path}: {rest:?}");
    }
    assert_eq!(host.ended(), Some(0));
}

#[test]
fn quit_drains() {
    let mut host = Site::new().file("handler.js", echo()).file("slow/handler.js", WAITING).serve();
    let (_, mut line) = host.open("/");
    says(&mut line, "hello");

    host.signal("QUIT");

    assert_eq!(line.closed(), 1012);
    assert_eq!(host.ended(), Some(0), "{}", host.log.text());
}

#[test]
fn users_signals_do_nothing() {
    let host = Site::new().file("handler.js", echo()).arg("--log=debug").serve();
    let (_, mut line) = host.open("/");

    for signal in ["USR1", "USR2", "USR1"] {
        host.signal(signal);
        host.log.next(&format!("SIG{signal} is ignored"));
        says(&mut line, signal);
    }
    assert_eq!(host.get("/").json(), json!({ "is": "live" }));
}

#[test]
fn no_connection_is_accepted_during_a_drain() {
    for signal in ["TERM", "INT", "QUIT"] {
        let mut host = Site::new().file("handler.js", WAITING).arg("--metrics=0").serve();
        let asking = begin(&host);

        host.signal(signal);
        host.log.next("stopping");

        assert!(!host.accepts(), "{signal}: connections are refused");
        assert_eq!(host.figures().get("liveline_generations", &[]), 1.0, "figures are still served");
        drop(asking);
        assert_eq!(host.ended(), Some(0), "{signal}: {}", host.log.text());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("QUIT", 131)] {
        // Longer than the test has patience.
        let site = Site::new().file("handler.js", WAITING).arg("--drain-timeout=10m");
        let mut host = site.serve();
        let _asking = begin(&host);

        host.signal("TERM");
        host.log.next("stopping");
        host.signal(signal);

        assert_eq!(host.ended(), Some(code), "{}", host.log.text());
        host.log.contains("stopped by a second signal");
    }
}

// -- a process that was stopped ---------------------------------------------------------------------------------------

/// How long a client may be silent.
const SILENCE: Duration = Duration::from_millis(1500);

fn stopping_host() -> Host {
    let raw = r#"export default () => {
        const [client, server] = Object.values(new WebSocketPair());
        server.accept();
        server.addEventListener("message", (e) => server.send(e.data));
        return new Response(null, { status: 101, webSocket: client });
    }"#;
    Site::new()
        .file("line/handler.js", echo())
        .file("raw/handler.js", raw)
        .arg("--ping-interval=300ms")
        .arg("--ping-timeout=1500ms")
        .arg("--join-timeout=1500ms")
        .arg("--resume-window=1500ms")
        .serve()
}

/// Stops the process for longer than anybody may be silent, and lets it go on. Time itself is what is tested here.
fn stop_for_long(host: &Host, meanwhile: impl FnOnce()) {
    host.signal("STOP");
    meanwhile();
    sleep(SILENCE * 2);
    host.signal("CONT");
}

#[test]
fn what_came_while_the_process_was_stopped_is_read_before_lines_are_given_up() {
    let host = stopping_host();
    let mut lines: Vec<_> = (0..15).map(|_| host.open_socket("/line")).collect();
    for line in &mut lines {
        says(line, "before");
    }

    stop_for_long(&host, || lines.iter_mut().for_each(|line| line.send("say", json!("meanwhile"))));

    for line in &mut lines {
        assert_eq!(line.expect("said"), json!("meanwhile"));
        says(line, "after");
    }
    assert_eq!(host.get("/line").status, 200);
}

#[test]
fn clients_that_were_silent_while_the_process_was_stopped_are_pinged_again() {
    let host = stopping_host();
    let path = host.get("/line").line_path();
    let mut resumable =
        host.dial(&path).header("sec-websocket-protocol", PROTOCOL).connect().expect("it may be joined");
    let welcome = resumable.receive_text().expect("a welcome");
    assert!(welcome.starts_with('w'), "{welcome}");
    let (mut raw, _) = host.dial("/raw").upgrade().expect("it is served");
    let mut plain = host.open_socket("/line");
    says(&mut plain, "before");

    stop_for_long(&host, || {});

    // To read is to answer pings. Lines that were given up are closed by now, or have lost their connection.
    raw.send("still there?".into()).expect("a socket");
    while !raw.read().expect("a socket").is_text() {}
    says(&mut plain, "after");
    resumable.send_text(r#"1 {"message":"hi",".wq":{"type":"say","eventID":"1"}}"#);
    loop {
        let text = resumable.receive_text().unwrap_or_else(|code| panic!("closed with {code}"));
        if text.contains("said") {
            break;
        }
    }
}

#[test]
fn a_client_that_is_gone_is_noticed_after_the_process_was_stopped() {
    let host = stopping_host();
    let mut line = host.open_socket("/line");
    says(&mut line, "before");

    stop_for_long(&host, || {});

    // It reads nothing, so it answers no ping.
    let close = loop {
        sleep(SILENCE * 3);
        if let Event::Closed(code) = line.next_event() {
            break code;
        }
    };
    assert_eq!(close, 1006);
}

#[test]
fn a_line_can_be_joined_after_the_process_was_stopped() {
    let host = stopping_host();
    let offered = host.get("/line");

    stop_for_long(&host, || {});

    let mut line = host.join(&offered);
    says(&mut line, "after");
}

/// A connection, and what was sent on it so far.
fn connection(host: &Host, sent: &str) -> TcpStream {
    let mut stream = host.connect();
    stream.write_all(sent.as_bytes()).expect("a host");
    stream
}

#[test]
fn requests_that_came_while_the_process_was_stopped_are_answered() {
    let handler = r#"export default async (event) => {
        const reader = event.request.body?.getReader();
        let text = "";
        for (let read; reader && !(read = await reader.read()).done; text += new TextDecoder().decode(read.value)) {
          if (!text) console.error("it begins");
        }
        return `<${text}>`;
    };"#;
    let limits = ["--keep-alive-timeout=1500ms", "--header-timeout=1500ms", "--body-timeout=1500ms"];
    let host = limits.into_iter().fold(Site::new().file("handler.js", handler), Site::arg).serve();
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n";

    let mut bodies: Vec<_> = (0..10)
        .map(|_| {
            let stream = connection(&host, &format!("{post}one"));
            host.log.next("it begins");
            stream
        })
        .collect();
    let mut idle: Vec<_> = (0..10).map(|_| connection(&host, request)).collect();
    for stream in &mut idle {
        read_until(stream, "<>");
    }
    let mut heads: Vec<_> = (0..10).map(|_| connection(&host, "GET / HTTP/1.1\r\n")).collect();

    stop_for_long(&host, || {
        for (streams, rest) in [(&mut bodies, "two"), (&mut idle, request), (&mut heads, "Host: x\r\n\r\n")] {
            streams.iter_mut().for_each(|stream| stream.write_all(rest.as_bytes()).expect("a socket"));
        }
    });

    for (streams, text) in [(&mut bodies, "<onetwo>"), (&mut idle, "<>"), (&mut heads, "<>")] {
        for stream in streams {
            read_until(stream, text);
        }
    }
}

#[test]
fn a_client_comes_again_after_the_process_was_stopped() {
    let host = stopping_host();
    let path = host.get("/line").line_path();
    let mut line =
        host.dial(&path).header("sec-websocket-protocol", PROTOCOL).connect().expect("it may be joined");
    let welcome = line.receive_text().expect("a welcome");
    let welcome: serde_json::Value = serde_json::from_str(&welcome[1..]).expect("JSON");
    let token = welcome["token"].as_str().expect("a token").to_owned();

    // The connection is lost while the process is stopped. The resume window begins when the host notices it.
    stop_for_long(&host, || drop(line));

    let again = format!("/.liveline/{token}?v=2&after=0");
    let again = host.dial(&again).header("sec-websocket-protocol", PROTOCOL).connect();
    assert!(again.is_ok(), "{:?}", again.err());
}

#[test]
fn a_handler_that_answered_but_never_returns_holds_up_no_end() {
    let site = Site::new().file(
        "handler.js",
        r#"
        export default (event) => {
          event.signal.addEventListener("abort", () => console.error("aborted"));
          event.respondWith("answered");
          return new Promise(() => {});
        };"#,
    );
    let mut host = site.arg("--drain-timeout=10s").serve();

    assert_eq!(host.get("/").text(), "answered");
    host.log.next("aborted");
    host.signal("TERM");

    assert_eq!(host.ended(), Some(0));
    let log = host.log.end();
    assert!(!log.contains("gave up"), "{log}");
}
