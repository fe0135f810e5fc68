//! The host seen from outside: its figures, its log, and `liveline top`.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::support::{Figures, Finished, Host, Site, handler, session_cookie};

const FRAMES: &str = "liveline_frames_total";
const REQUESTS: &str = "liveline_http_requests_total";
const RELOADS: &str = "liveline_reloads_total";
const CLOSED: &str = "liveline_lines_closed_total";

/// Sends `say` back, and ends with `bye`.
fn talkative() -> String {
    handler(
        r#"
        event.client.addEventListener("say", (e) => event.client.postMessage(e.data));
        event.waitUntil(new Promise((bye) => event.client.addEventListener("bye", bye, { once: true })));
        return { n: 1 };"#,
    )
}

/// A host whose figures have an address of their own.
fn watched(handler: &str) -> Host {
    Site::new().file("handler.js", handler).arg("--metrics=0").serve()
}

// -- Figures ------------------------------------------------------------------------------------------

#[test]
fn figures_come_in_the_format_that_was_asked_for() {
    let host = watched("export default () => 1");
    let asked = |accept: &str| host.ask_figures("GET", "/metrics").header("accept", accept).send();

    let figures = asked("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((figures.status, figures.header("content-type")), (200, Some(kind)), "{figures:?}");
    Figures::parse(figures.text());

    let plain = asked("text/plain");
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(plain.text().contains("# TYPE liveline_http_requests_total counter\n"), "{plain:?}");

    let head = host.ask_figures("HEAD", "/metrics").send();
    assert_eq!((head.status, head.text()), (200, ""));
    assert_eq!(host.ask_figures("POST", "/metrics").send().status, 405);
    assert_eq!(host.ask_figures("GET", "/").send().status, 404);
}

#[test]
fn the_build_and_the_process_are_described() {
    let figures = watched("export default () => 1").figures();

    let build = figures.samples.keys().find(|(name, _)| name == "liveline_build_info").expect("the build");
    assert_eq!(build.1["version"], env!("CARGO_PKG_VERSION"));
    assert!(figures.get("process_start_time_seconds", &[]) > 1.7e9);
    if cfg!(target_os = "linux") {
        assert!(figures.get("process_resident_memory_bytes", &[]) > 1e6);
        assert!(figures.get("process_open_fds", &[]) > 3.0);
    }
}

#[test]
fn requests_are_counted_by_class_and_time() {
    let host = watched(
        r#"export default ({ url }) => {
          return new Response(null, { status: Number(url.searchParams.get("status")) });
        }"#,
    );

    for status in [200, 204, 301, 404, 404, 503] {
        assert_eq!(host.get(&format!("/?status={status}")).status, status);
    }

    let figures = host.figures();
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| figures.get(REQUESTS, &[("class", class)]));
    assert_eq!(classes, [0.0, 2.0, 1.0, 2.0, 1.0]);
    assert_eq!(figures.get("liveline_http_answer_seconds_count", &[]), 6.0);
    assert!(figures.get("liveline_http_answer_seconds_sum", &[]) > 0.0);
}

#[test]
fn a_slow_answer_is_in_a_late_bucket() {
    let host = watched("export default () => new Promise((done) => setTimeout(done, 30))");

    assert_eq!(host.get("/").status, 200);

    let figures = host.figures();
    let below = |bound| figures.get("liveline_http_answer_seconds_bucket", &[("le", bound)]);
    assert_eq!((below("0.025"), below("+Inf")), (0.0, 1.0));
}

#[test]
fn lines_and_frames_are_counted() {
    let host = watched(&talkative());
    let before = host.figures();

    let (_, mut line) = host.open("/");
    line.send("say", json!("one"));
    assert_eq!(line.expect("message"), json!("one"));

    let open = host.until_figures(|figures| figures.get("liveline_lines", &[("state", "open")]) == 1.0);
    assert_eq!(open.get("liveline_lines_opened_total", &[]), 1.0);
    let moved = |name, direction| {
        let labels = [("direction", direction)];
        open.get(name, &labels) - before.get(name, &labels)
    };
    // The handshake is a frame each way, too.
    assert!(moved(FRAMES, "in") >= 2.0 && moved(FRAMES, "out") >= 2.0, "{open:#?}");
    assert!(moved("liveline_frame_bytes_total", "in") > 10.0 * moved(FRAMES, "in"), "{open:#?}");
    assert!(moved("liveline_frame_bytes_total", "out") > 10.0 * moved(FRAMES, "out"), "{open:#?}");
}

#[test]
fn lines_are_counted_by_how_they_ended() {
    let host = watched(&talkative());

    let (_, mut line) = host.open("/");
    line.send("bye", Value::Null);
    line.done();
    let (_, mut line) = host.open("/");
    line.send_text("not JSON");
    assert_eq!(line.closed(), 1003);
    // Of its own numbers a client has thousands.
    host.open("/").1.close_with(4711);

    let codes = ["1000", "1003", "other"];
    host.until_figures(|figures| {
        codes.iter().all(|code| figures.find(CLOSED, &[("code", code)]) == Some(1.0))
    });
}

#[test]
fn the_largest_channels_are_named_whatever_their_names() {
    let host = watched(&handler(
        r#"
        const name = event.url.searchParams.get("name");
        event.client.enterChannel(name);
        event.waitUntil(new Promise(() => {}));
        return {};"#,
    ));
    let odd = "a \"quoted\\\" name\n} 1";

    let mut lines = Vec::new();
    for n in 0..14 {
        let name = if n < 3 { "a%20%22quoted%5C%22%20name%0A%7D%201".into() } else { format!("room-{n}") };
        lines.push(host.open(&format!("/?name={name}")).1);
    }

    let figures = host.until_figures(|figures| figures.get("liveline_members", &[]) == 14.0);
    assert_eq!(figures.get("liveline_channels", &[]), 12.0);
    assert_eq!(figures.get("liveline_channel_members", &[("channel", odd)]), 3.0);
    let named = figures.samples.keys().filter(|(name, _)| name == "liveline_channel_members");
    assert_eq!(named.count(), 10);
}

#[test]
fn reloads_and_generations_are_counted() {
    let host = Site::new().file("handler.js", "export default () => 1").arg("--metrics=0").dev();
    let reloads = |figures: &Figures, result| figures.get(RELOADS, &[("result", result)]);
    assert_eq!(reloads(&host.figures(), "ok"), 0.0);

    host.site.write("handler.js", "export default () => 2");
    host.log.next("reloaded");
    host.until_figures(|figures| reloads(figures, "ok") >= 1.0);
    host.site.write("handler.js", "export default () => {");
    host.log.next("reload failed");
    let figures = host.until_figures(|figures| reloads(figures, "failed") >= 1.0);
    assert!(figures.get("liveline_generations", &[]) >= 1.0);
}

#[test]
fn what_an_ended_worker_counted_stays() {
    let host = Site::new().file("handler.js", "export default () => 1").arg("--metrics=0").dev();
    host.get("/");

    host.site.write("handler.js", "export default () => 2");
    host.until("/", |answer| answer.text() == "2");

    // The first generation has nothing left to do.
    let figures = host.until_figures(|figures| figures.get("liveline_generations", &[]) == 1.0);
    assert!(figures.get(REQUESTS, &[("class", "2xx")]) >= 2.0, "{figures:#?}");
}

#[test]
fn every_isolate_has_its_heap_and_lag_in_the_metrics() {
    let host = Site::new()
        .file("handler.js", "export default () => 1")
        .arg("--metrics=0")
        .arg("--workers=2")
        .arg("--max-heap=300MiB")
        .serve();

    let figures = host.until_figures(|figures| {
        let used = figures.samples.iter().filter(|((name, _), _)| name == "liveline_isolate_heap_used_bytes");
        used.filter(|(_, bytes)| **bytes > 0.0).count() == 2
    });

    let workers: BTreeSet<_> = figures
        .samples
        .iter()
        .filter(|((name, _), _)| name == "liveline_isolate_heap_limit_bytes")
        // The engine adds room for what it has just made.
        .filter(|(_, limit)| (300..400).contains(&(**limit as u64 >> 20)))
        .map(|((_, labels), _)| &*labels["worker"])
        .collect();
    assert_eq!(workers, BTreeSet::from(["0", "1"]), "{figures:#?}");
    let lags = figures.samples.keys().filter(|(name, _)| name == "liveline_event_loop_lag_seconds");
    assert_eq!(lags.count(), 2);
}

#[test]
fn a_handler_that_spins_shows_as_lag() {
    let host = watched("export default () => { const end = Date.now() + 700; while (Date.now() < end); }");

    host.get("/");

    let lag = |figures: &Figures| {
        let lag = figures.samples.iter().find(|((name, _), _)| name == "liveline_event_loop_lag_seconds");
        *lag.expect("one isolate").1
    };
    // A probe was due a quarter of a second after it began to spin, at the latest.
    host.until_figures(|figures| lag(figures) > 0.3);
}

#[test]
fn figures_are_not_for_strangers() {
    let host = watched("export default () => new Response(null, { status: 404 })");
    assert_eq!(host.get("/metrics").status, 404);

    // A page of another site that got its name to mean this address.
    let foreign = host.ask_figures("GET", "/metrics").header("host", "evil.example").send();
    assert_eq!(foreign.status, 403);
    assert!(!foreign.text().contains("liveline_lines"), "{foreign:?}");
}

#[test]
fn dev_serves_figures_where_the_site_has_nothing() {
    let host = Site::new().file("products/handler.js", "export default () => 1").dev();

    let figures = host.request("GET", "/metrics").send();
    assert_eq!(figures.status, 200);
    Figures::parse(figures.text());
    assert_eq!(host.request("GET", "/metrics").header("host", "evil.example").send().status, 421);

    // Who looks is not counted.
    assert_eq!(Figures::parse(host.get("/metrics").text()).get(REQUESTS, &[("class", "2xx")]), 0.0);
}

#[test]
fn a_site_may_have_metrics_of_its_own() {
    let own = Site::new().file("metrics/handler.js", "export default () => 'own'").dev();
    assert_eq!(own.get("/metrics").text(), "own");

    let file =
        Site::new().file("handler.js", "export default (_, next) => next()").file("public/metrics", "file");
    assert_eq!(file.dev().get("/metrics").text(), "file");
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address").to_string();

    let served = Site::new()
        .file("handler.js", "export default () => 1")
        .arg("--port=0")
        .arg(&format!("--metrics={address}"))
        .run("serve");

    assert_eq!(served.code, Some(1), "{}", served.output());
    assert!(served.stderr.contains(&address) && served.stderr.contains("--metrics"), "{}", served.output());
}

// -- top ----------------------------------------------------------------------------------------------

/// The value of a row of the table that `top --once` prints.
fn row(table: &str, section: &str, name: &str) -> Option<String> {
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|words| words.first() == Some(&section) && words.get(1) == Some(&name));
    rows.next().map(|words| words[2..].join(" "))
}

#[test]
fn top_shows_what_goes_on() {
    let host = watched(&talkative());
    let (_, mut line) = host.open("/");
    line.send("say", json!("one"));
    line.expect("message");
    host.until_figures(|figures| figures.get("liveline_lines", &[("state", "open")]) == 1.0);

    let top = Finished::of(&["top", &host.figures_address().to_string(), "--once"]);

    assert_eq!(top.code, Some(0), "{}", top.output());
    assert_eq!(row(&top.stdout, "lines", "open").as_deref(), Some("1"), "{}", top.stdout);
    assert_eq!(row(&top.stdout, "frames", "dropped").as_deref(), Some("0"), "{}", top.stdout);
    assert!(row(&top.stdout, "requests", "p99").is_some_and(|p99| p99.ends_with(" ms")), "{}", top.stdout);
    assert!(row(&top.stdout, "isolates", "lag").is_some(), "{}", top.stdout);
    assert!(!top.stdout.contains('\u{1b}'), "{}", top.stdout);
}

#[test]
fn top_takes_the_address_of_a_site_in_development() {
    let site = Site::new().file("products/handler.js", "export default () => 1").dev();
    for url in [format!("http://{}/metrics", site.address()), site.address().to_string()] {
        let top = Finished::of(&["top", &url, "--once"]);
        assert_eq!(top.code, Some(0), "{}", top.output());
    }

    let own = Site::new().file("handler.js", "export default () => 1").dev();
    let top = Finished::of(&["top", &own.address().to_string(), "--once"]);
    assert_eq!(top.code, Some(1), "{}", top.output());
    assert!(top.stderr.contains("has no metrics") && top.stderr.contains("--metrics"), "{}", top.output());
}

#[test]
fn top_names_the_remedy_where_nothing_listens() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");

    let top = Finished::of(&["top", &format!("http://{free}")]);

    assert_eq!(top.code, Some(1), "{}", top.output());
    assert!(top.stderr.contains(&format!("nothing listens on {free}")), "{}", top.output());
    assert!(top.stderr.contains("--metrics"), "{}", top.output());
    let https = Finished::of(&["top", "https://example.org"]);
    assert!(https.code == Some(1) && https.stderr.contains("plain HTTP"), "{}", https.output());
}

// -- The log ------------------------------------------------------------------------------------------

/// A host that logs for programs, everything of its own.
fn logged(handler: &str) -> Host {
    let site = Site::new().file("handler.js", handler);
    site.arg("--log-format=json").arg("--access-log").arg("--log=liveline=trace").dev()
}

/// The next line of the log with this text, as the object it is.
#[track_caller]
fn entry(host: &Host, text: &str) -> Value {
    let line = host.log.next(text);
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn one_id_is_in_all_log_lines_of_an_exchange() {
    let host = logged(
        r#"export default async () => {
          console.log("two\nlines");
          await new Promise((done) => setTimeout(done));
          console.warn("later");
          throw new Error("broken");
        }"#,
    );

    host.request("GET", "/a?b=c").header("x-request-id", "mine-1").send();

    let entries = ["two\\nlines", "later", "broken", "liveline::access"].map(|text| entry(&host, text));
    let levels = entries.each_ref().map(|entry| entry["level"].as_str().unwrap_or_default());
    assert_eq!(levels, ["INFO", "WARN", "ERROR", "INFO"]);
    for entry in &entries {
        assert_eq!(entry["exchange"], entries[0]["exchange"], "{entry}");
        assert!(entry["exchange"].is_string(), "{entry}");
        assert_eq!((&entry["method"], &entry["path"]), (&json!("GET"), &json!("/a")), "{entry}");
        assert_eq!(entry["request"], "mine-1");
    }
    assert_eq!((&entries[0]["message"], &entries[3]["status"]), (&json!("two\nlines"), &json!(500)));
    assert!(entries[3]["duration_us"].as_u64() >= Some(1_000), "{}", entries[3]);
}

#[test]
fn every_line_of_the_log_is_an_object() {
    let host = logged(r#"console.error("at load"); export default () => { throw "a\nb" };"#);

    host.get("/");
    host.site.write("handler.js", "export default () => {");
    host.log.next("reload failed");
    host.site.write("handler.js", "export default () => 1");
    host.log.next("reloaded");

    let text = host.log.text();
    assert!(text.lines().count() >= 4, "{text}");
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(entry["message"].is_string() && entry["level"].is_string(), "{line}");
    }
}

#[test]
fn a_clients_request_id_is_taken_and_returned_if_it_is_one() {
    let host = logged("export default () => 1");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";

    let taken = host.request("GET", "/").header("x-request-id", "a.B-1").send();
    assert_eq!(taken.header("x-request-id"), Some("a.B-1"));
    assert_eq!(entry(&host, "access")["request"], "a.B-1");

    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let traced = host.request("GET", "/").header("traceparent", &parent).send();
    assert_eq!(traced.header("x-request-id"), None);
    assert_eq!(entry(&host, "access")["request"], trace);

    for bad in ["a b", "\"", &"x".repeat(200)] {
        let refused = host.request("GET", "/").header("x-request-id", bad).send();
        assert_eq!((refused.status, refused.header("x-request-id")), (200, None), "{bad}");
        assert_eq!(entry(&host, "access")["request"], Value::Null);
    }
    assert_eq!(host.get("/").header("x-request-id"), None);
}

#[test]
fn the_end_of_a_line_is_logged_with_its_counts() {
    let host = logged(&talkative());
    let (_, mut line) = host.open("/");
    line.send("say", json!("one"));
    line.expect("message");
    line.send("bye", Value::Null);
    line.done();

    let opened = entry(&host, "liveline::access");
    let ended = entry(&host, "ended: 1000");

    assert_eq!((&ended["code"], &ended["exchange"]), (&json!(1000), &opened["exchange"]), "{ended}");
    assert!(ended["line"].is_string() && ended["duration_ms"].is_u64(), "{ended}");
    assert!(ended["frames_in"].as_u64() >= Some(3) && ended["frames_out"].as_u64() >= Some(2), "{ended}");
}

#[test]
fn the_access_log_is_off_unless_asked_for() {
    let host = Site::new().file("handler.js", "export default () => 1").serve();
    host.get("/a");
    host.signal("TERM");
    let text = host.log.end();
    assert!(!text.contains("GET /a"), "{text}");

    let host = Site::new().file("handler.js", "export default () => 1").arg("--access-log").serve();
    host.get("/a");
    let line = host.log.next("GET /a 200");
    assert!(line.contains(" INFO ") && line.contains("duration_us=") && line.contains("bytes=1"), "{line}");
    // People read it once.
    assert!(!line.contains("path=") && !line.contains("method="), "{line}");
}

#[test]
fn printed_text_stays_as_it_was_for_people() {
    let mut host = Site::new()
        .file("handler.js", r#"export default () => { console.log({ a: 1 }); console.error("oh"); }"#)
        .serve();

    host.get("/");

    assert_eq!(host.log.next("oh"), "oh");
    host.signal("TERM");
    host.ended();
    host.prints("{ a: 1 }");
}

/// Nothing that lets its holder in, or that may be private, is in the log, however much is logged.
#[test]
fn the_log_keeps_secrets() {
    const KEY: &str = "a key of sixteen bytes or more";
    let site = Site::new().file("talk/handler.js", talkative()).arg("--metrics=0");
    let site = site.file("boom/handler.js", "export const POST = () => { throw new Error('boom') }");
    let site = site.arg("--session-key").arg(KEY).arg("--log-format=json").arg("--access-log");
    let host = site.arg("--log=liveline=trace").serve();
    let cookie = session_cookie(KEY, "0123456789abcdef0123456789abcdef");

    let answer = host.request("GET", "/talk?password=query-secret").header("cookie", &cookie).send();
    let token = answer.line_path().split(['?', '/']).nth(2).expect("a token").to_owned();
    // A stranger, then the visitor.
    assert_eq!(host.dial(&answer.line_path()).connect().err(), Some(403));
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("the visitor");
    line.handshake();
    line.send("say", json!("frame-secret"));
    line.expect("message");
    line.send_text("not JSON, but frame-secret");
    line.closed();
    let unknown = "f".repeat(32);
    assert_eq!(host.get(&format!("/.liveline/{unknown}?reason=query-secret")).status, 404);
    let broken = host
        .request("POST", "/boom?password=query-secret")
        .header("authorization", "Bearer header-secret")
        .header("cookie", &cookie)
        .body("body-secret");
    assert_eq!(broken.send().status, 500);
    host.ask_figures("GET", "/metrics").header("authorization", "Bearer header-secret").send();
    host.signal("TERM");

    let log = host.log.end();
    for secret in [&token, &unknown, &cookie, KEY] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    for secret in ["query-secret", "frame-secret", "header-secret", "body-secret", "0123456789abcdef"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("/.liveline/*") && log.contains("POST /boom 500"), "{log}");
}
