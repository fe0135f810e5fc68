//! Slow and silent clients, and clients with many connections: each has limits, and the others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Finished, Host, PATIENCE, Site, handler, on_go, read_to_close, without_sockets,
};

/// How many hostile clients there are at a time.
const MANY: usize = 200;

/// Answers ordinary requests beside the slow ones.
const HANDLER: &str = r#"
    export default async (event, next) => {
      if (next.stepname === "large") return new Response("x".repeat(64 * 1024 * 1024));
      if (next.stepname === "stream") {
        const pull = (controller) => controller.enqueue(new Uint8Array(64 * 1024));
        const cancel = () => console.error("cancelled");
        return new Response(new ReadableStream({ pull, cancel }));
      }
      if (next.stepname === "body") return (await event.request.text()).length;
      return "fine";
    };"#;

/// A host that waits for a fraction of a second where others wait for half a minute.
fn impatient() -> Host {
    with(&[
        "--header-timeout=300ms",
        "--keep-alive-timeout=300ms",
        "--body-timeout=300ms",
        "--write-timeout=300ms",
    ])
}

fn with(arguments: &[&str]) -> Host {
    arguments
        .iter()
        .fold(Site::new().file("handler.js", HANDLER), |site, argument| site.arg(argument))
        .serve()
}

fn say(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).expect("the host reads");
}

#[track_caller]
fn is_well(host: &Host) {
    assert_eq!(host.get("/").text(), "fine");
}

/// Opens many connections that send `text` and nothing more. The host has to answer others meanwhile, and ends each
/// connection with an answer that begins with `said`.
#[track_caller]
fn many_hang(text: &str, said: &str) {
    let host = impatient();
    let mut slow = Vec::new();
    for _ in 0..MANY {
        let stream = host.connect();
        say(&stream, text);
        slow.push(stream);
        is_well(&host);
    }
    for stream in &slow {
        let heard = read_to_close(stream);
        assert!(heard.starts_with(said) && heard.is_empty() == said.is_empty(), "{heard:?} after {text:?}");
    }
    is_well(&host);
    // Nor can they fill the log.
    assert_eq!(host.log.text(), "");
}

#[test]
fn a_head_that_does_not_end_is_a_408() {
    many_hang("GET / HTTP/1.1\r\nHost: x\r\nX-A: ", "HTTP/1.1 408 ");
}

#[test]
fn a_connection_that_never_asks_is_closed() {
    many_hang("", "");
}

#[test]
fn a_body_that_does_not_come_is_a_408() {
    many_hang("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxxx", "HTTP/1.1 408 ");
}

/// Each byte comes in time, and all of them take too long.
#[test]
fn a_head_in_drops_has_one_limit_for_all_of_it() {
    let host = with(&["--header-timeout=600ms"]);
    let stream = host.connect();

    let heard = drip(&stream, "GET / HTTP/1.1\r\n", "X-A: 1\r\n");

    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    is_well(&host);
}

#[test]
fn a_body_in_drops_has_a_rate_to_keep() {
    let host = with(&["--body-timeout=600ms"]);

    for framing in ["Content-Length: 100000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"] {
        let stream = host.connect();
        let drop = if framing.starts_with('C') { "x" } else { "1\r\nx\r\n" };
        let heard = drip(&stream, &format!("POST /body HTTP/1.1\r\nHost: x\r\n{framing}"), drop);
        assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
    }
    is_well(&host);
}

/// Sends `drop` again each time that nothing has come from the host for 20 ms, until it answers or closes.
fn drip(mut stream: &TcpStream, first: &str, drop: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout can be set");
    say(stream, first);
    for _ in 0..PATIENCE.as_millis() / 20 {
        let mut heard = [0; 1024];
        match stream.read(&mut heard) {
            Ok(length) => return String::from_utf8_lossy(&heard[..length]).into_owned(),
            Err(_) => drop_in(stream, drop),
        }
    }
    panic!("the host is still waiting");
}

fn drop_in(mut stream: &TcpStream, drop: &str) {
    // If the host has closed, the next read fails.
    let _ = stream.write_all(drop.as_bytes());
}

/// A client on a slow connection sends little at a time, and yet enough.
#[test]
fn a_large_body_may_take_longer_than_the_limit() {
    let host = with(&["--body-timeout=200ms"]);
    let mut stream = host.connect();
    stream.set_read_timeout(Some(Duration::from_millis(40))).expect("a timeout can be set");

    say(&stream, "POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10240\r\n\r\n");
    for _ in 0..10 {
        // Nothing is answered before the body has come, so each read waits for its timeout.
        assert!(stream.read(&mut [0; 16]).is_err(), "the host did not wait");
        say(&stream, &"x".repeat(1024));
    }
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");

    assert!(read_to_close(&stream).ends_with("10240"));
}

#[test]
fn a_body_that_a_handler_has_no_use_for_is_not_waited_for() {
    let host = impatient();
    let stream = host.connect();

    say(&stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxxx");

    let heard = read_to_close(&stream);
    assert!(heard.starts_with("HTTP/1.1 200 ") && heard.ends_with("fine"), "{heard}");
}

#[test]
fn a_handler_may_answer_a_late_body() {
    let site = Site::new().file(
        "handler.js",
        r#"export default (event) => event.request.text().catch((error) => `${error.name}: ${error.message}`);"#,
    );
    let host = site.arg("--body-timeout=100ms").serve();
    let stream = host.connect();

    say(&stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nxxx");

    let heard = read_to_close(&stream);
    assert!(heard.contains("NetworkError") && heard.contains("too slowly"), "{heard}");
}

#[test]
fn an_idle_connection_is_closed_without_an_answer() {
    let host = with(&["--keep-alive-timeout=300ms"]);
    let stream = host.connect();

    say(&stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");

    let heard = read_to_close(&stream);
    assert!(heard.ends_with("fine") && heard.matches("HTTP/1.1").count() == 1, "{heard}");
}

/// The limit for heads begins with a head, not with the pause before it.
#[test]
fn a_connection_may_rest_longer_than_a_head_may_take() {
    let host = with(&["--header-timeout=100ms"]);
    let mut stream = host.connect();

    for _ in 0..2 {
        say(&stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut heard = Vec::new();
        while !heard.ends_with(b"fine") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            heard.push(byte[0]);
        }
        stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout can be set");
        assert!(stream.read(&mut [0; 16]).is_err(), "it was closed");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    }
}

/// A client that asks for much and never reads costs its memory for a while and not for ever.
#[test]
fn an_answer_that_is_not_read_is_given_up() {
    let host = impatient();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let stream = host.connect();
        say(&stream, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
        streams.push(stream);
        is_well(&host);
    }

    for _ in &streams {
        host.log.next("cancelled");
    }
    is_well(&host);
}

#[cfg(target_os = "linux")]
#[test]
fn memory_of_answers_that_are_not_read_is_freed() {
    let host = impatient();
    let streams: Vec<_> = (0..4).map(|_| host.connect()).collect();
    for stream in &streams {
        say(stream, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    // What was cut off ends before all of it came.
    for stream in &streams {
        let mut first = [0; 16];
        (&*stream).read_exact(&mut first).expect("the beginning");
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    while host.memory() > 200 * 1024 * 1024 {
        assert!(std::time::Instant::now() < deadline, "{} bytes are still held", host.memory());
        is_well(&host);
    }
}

/// Slow is not gone: who reads a little now and then gets all of it.
#[test]
fn an_answer_that_is_read_slowly_is_sent_to_its_end() {
    let host = with(&["--write-timeout=2s"]);
    let mut stream = host.connect();
    say(&stream, "GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    let mut got = 0;
    let mut piece = vec![0; 1024 * 1024];
    while let Ok(length @ 1..) = stream.read(&mut piece) {
        got += length;
        // A moment's work between two reads, as clients have.
        is_well(&host);
    }

    assert!(got > 64 * 1024 * 1024, "{got} bytes");
}

#[test]
fn requests_are_not_read_while_their_answers_are_not_read() {
    let host = impatient();
    let mut stream = host.connect();
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");

    // Each asks for 64 MiB: after the first the host takes no more, and then it gives up.
    let requests = "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    let mut sent = 0;
    while let Ok(length) = stream.write(requests.as_bytes()) {
        sent += length;
        assert!(sent < 256 * 1024 * 1024, "the host reads on and on");
        is_well(&host);
    }
    is_well(&host);
}

#[test]
fn an_address_has_so_many_connections_and_others_get_a_503() {
    let host = with(&["--max-connections-per-address=5"]);
    let mut inside: Vec<_> = (0..5).map(|_| host.connect()).collect();

    // Served means that it was counted.
    for stream in &inside {
        say(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        (&*stream).read_exact(&mut [0; 16]).expect("an answer");
    }
    for _ in 0..20 {
        let heard = read_to_close(host.connect());
        assert!(heard.starts_with("HTTP/1.1 503 ") && heard.contains("\r\nretry-after: "), "{heard}");
    }
    // One line for all of them.
    let line = host.log.next("--max-connections-per-address");
    assert!(line.contains("127.0.0.1"), "{line}");
    drop(inside.pop());
    until_well(&host);
    assert_eq!(host.log.text().matches("--max-connections-per-address").count(), 1, "{}", host.log.text());
}

#[test]
fn there_are_so_many_connections_in_all() {
    let host = with(&["--max-connections=3", "--max-connections-per-address=0"]);
    let mut inside: Vec<_> = (0..3).map(|_| host.connect()).collect();
    for stream in &inside {
        say(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        (&*stream).read_exact(&mut [0; 16]).expect("an answer");
    }

    assert!(read_to_close(host.connect()).starts_with("HTTP/1.1 503 "));
    inside.clear();
    until_well(&host);
}

/// A socket that became a line still has its place, and gives it back at its end.
#[test]
fn live_lines_count_as_connections() {
    let live = r#"if (next.stepname === "fine") return "fine"; event.waitUntil(go); return { n: 1 };"#;
    let host = Site::new().file("handler.js", on_go(live)).arg("--max-connections=5").serve();
    let (_, line) = host.open("/");
    let (_, other) = host.open("/");

    // The connections of the two answers end in a while; then three places are left.
    let mut inside = Vec::new();
    until(|| {
        let stream = host.connect();
        let _ = (&stream).write_all(b"GET /fine HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut status = [0; 13];
        match (&stream).read_exact(&mut status) {
            Ok(()) if status.ends_with(b" 200 ") => inside.push(stream),
            refused => assert!(refused.is_err() || status.ends_with(b" 503 "), "{status:?}"),
        }
        assert!(inside.len() < 4, "the lines did not count");
        inside.len() == 3
    });
    assert!(read_to_close(host.connect()).starts_with("HTTP/1.1 503 "));
    drop((line, other));
    until_well(&host);
}

fn until_well(host: &Host) {
    until(|| host.raw(b"GET /fine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("fine"));
}

/// Looks until it is so. Each look is a round trip.
#[track_caller]
fn until(mut is_so: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it never came to be so");
    }
}

#[test]
fn unknown_lines_are_refused_and_others_are_served() {
    let site = Site::new().file("handler.js", on_go("event.waitUntil(go); return { n: 1 };"));
    let host = site.serve();
    let (_, mut line) = host.open("/");

    for number in 0..100 {
        let path = format!("/.liveline/{number:032x}?v=2");
        assert_eq!(host.dial(&path).connect().err(), Some(404), "{path}");
    }
    // Requests for guessed addresses are not logged.
    assert_eq!(host.log.text().matches("refused").count(), 0, "{}", host.log.text());
    line.send("go", Value::Null);
    line.done();
}

/// One line's client floods it with small messages; those of another line come and go.
#[test]
fn a_flood_on_one_line_leaves_the_others_alone() {
    if without_sockets() {
        return; // Each message would be a request: what floods there is another test's subject.
    }
    let host = Site::new().file("handler.js", handler(ECHO)).serve();
    let (_, mut flooded) = host.open("/");
    let (_, mut healthy) = host.open("/");

    let flood = std::thread::spawn(move || {
        for number in 0..20_000 {
            flooded.send("noise", json!(number));
        }
        flooded
    });
    for number in 0..50 {
        healthy.send("say", json!(number));
        assert_eq!(healthy.expect("message"), json!(number));
        let answer: Answer = host.get("/");
        assert_eq!(answer.status, 200);
    }
    let mut flooded = flood.join().expect("the flood ends");
    flooded.send("say", json!("still here"));
    assert_eq!(flooded.expect("message"), json!("still here"));
}

const ECHO: &str = r#"
    event.client.addEventListener("noise", () => {});
    event.client.addEventListener("say", (e) => event.client.postMessage(e.data));
    event.waitUntilNavigate();
    return {};"#;

/// `docs/limits.md` lists the default of each option.
#[test]
fn every_limit_is_documented_with_its_default() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md")).expect("a file");
    let rows: Vec<_> =
        document.lines().filter(|line| line.starts_with('|') && line.contains("`--")).collect();
    let help = Finished::of(&["serve", "--help"]).stdout;
    let limits = help.split("\n      --").filter(|option| {
        ["-timeout", "max-"]
            .iter()
            .any(|part| option.split(' ').next().is_some_and(|name| name.contains(part)))
    });

    for option in limits {
        let name = option.split(' ').next().expect("a name");
        // Shutting down is nothing that a stranger causes.
        if name == "drain-timeout" {
            continue;
        }
        let row = rows.iter().find(|row| row.contains(&format!("`--{name}`")));
        let row = row.unwrap_or_else(|| panic!("docs/limits.md does not name --{name}"));
        let default =
            option.split_once("[default: ").and_then(|(_, rest)| rest.split(']').next()).expect("a default");
        assert!(row.contains(&format!("| {default} |")) || name == "max-connections", "{row}: {default}");
    }
    assert!(rows.len() >= 12, "{rows:?}");
}
