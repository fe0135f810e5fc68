//! Clients without a line: one answer, or a stream of events in the answer itself.

use serde_json::{Value, json};

use crate::support::{Answer, Host, Site, serve};

const STEPS: &str = r#"
    export default async function (event) {
      event.respondWith({ step: 1 }, { done: false });
      await new Promise((resolve) => setTimeout(resolve));
      event.respondWith({ step: 2 });
    }"#;

/// The lines of a stream of JSON.
#[track_caller]
fn lines(host: &Host, path: &str) -> Vec<Value> {
    let answer = host.request("GET", path).plain().header("accept", "application/x-ndjson").send();
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"), "{answer:?}");
    answer.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

// -- one answer ---------------------------------------------------------------------------------------

#[test]
fn a_plain_client_gets_the_last_state() {
    let answer = serve(STEPS).request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.json()), (200, json!({ "step": 2 })));
    assert!(!answer.is_live(), "{answer:?}");
}

/// A status that means an empty body would end the answer before the stream.
#[test]
fn a_stream_begins_with_whatever_the_first_state_is() {
    let host = serve(
        r#"export default async function (event) {
          const status = Number(event.url.searchParams.get("status"));
          if (event.url.searchParams.has("final")) return new Response("queued", { status });
          event.respondWith(null, { status, done: false });
          await new Promise((resolve) => setTimeout(resolve));
          return { step: 2 };
        }"#,
    );

    for status in [204, 205] {
        let told = lines(&host, &format!("/?status={status}"));
        assert!(told.contains(&json!({ "event": "state", "data": null })), "{told:?}");
        assert!(told.iter().any(|line| line["data"] == json!({ "step": 2 })), "{told:?}");
    }
    let told = lines(&host, "/?status=202&final=");
    assert_eq!(told[0], json!({ "event": "state", "data": "queued" }));
}

/// What the `fetch()` of each sends, as captured, but for `Host` and `Connection`.
const FETCHES: [(&str, &[(&str, &str)]); 5] = [
    (
        "node",
        &[
            ("accept", "*/*"),
            ("accept-language", "*"),
            ("sec-fetch-mode", "cors"),
            ("user-agent", "node"),
            ("accept-encoding", "gzip, deflate"),
        ],
    ),
    (
        "deno",
        &[
            ("accept", "*/*"),
            ("accept-language", "*"),
            ("sec-fetch-mode", "cors"),
            ("user-agent", "Deno/2.5.0"),
            ("accept-encoding", "gzip,br"),
        ],
    ),
    (
        "bun",
        &[
            ("accept", "*/*"),
            ("user-agent", "Bun/1.3.0"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
            ("sec-fetch-mode", "cors"),
        ],
    ),
    (
        "a page's fetch('/x')",
        &[
            ("accept", "*/*"),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty"),
            ("user-agent", "Mozilla/5.0"),
        ],
    ),
    (
        "a browser's address bar, where no page is shown",
        &[
            ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("user-agent", "Mozilla/5.0"),
        ],
    ),
];

fn fetched(host: &Host, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = host.request("GET", path).plain();
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

#[test]
fn a_client_that_does_not_announce_lines_gets_one_answer() {
    let host = serve(STEPS);

    for (who, headers) in FETCHES {
        let answer = fetched(&host, "/", headers);
        assert_eq!((answer.status, answer.json()), (200, json!({ "step": 2 })), "{who}");
        assert!(!answer.is_live(), "{who}: {answer:?}");
        let live = [headers, &[("x-accept-live", "*")]].concat();
        assert!(fetched(&host, "/", &live).is_live(), "{who} that says so");
    }
}

#[test]
fn a_client_that_gets_a_page_gets_its_line() {
    let site = Site::new().file("handler.js", STEPS).file("page.html", "<p render='#text: data.step'></p>");
    let host = site.serve();

    let answer = fetched(&host, "/", FETCHES[4].1);

    assert!(answer.is_live() && answer.text().contains("<p"), "{answer:?}");
}

/// Handlers whose state may change for ever, each in its own way.
const ENDLESS: [(&str, &str); 6] = [
    (
        "live",
        "export default live function () {
          const data = { n: 0 };
          setInterval(() => { data.n += 1; }, 20);
          return data;
        }",
    ),
    (
        "generator",
        "export default async function* () {
          for (let n = 0; ; n++) {
            yield { n };
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }",
    ),
    ("open", "export default (event) => { event.respondWith({ n: 0 }, { done: false }); }"),
    ("hold", "export default (event) => { event.waitUntil(new Promise(() => {})); return { n: 0 }; }"),
    (
        "callback",
        "export default (event) => {
          event.respondWith({ n: 0 }, async ($data) => {
            for (;;) {
              await new Promise((resolve) => setTimeout(resolve, 20));
              $data.n += 1;
            }
          });
        }",
    ),
    (
        "loop",
        "export default async (event) => {
          for (let n = 0; !event.signal.aborted; n++) {
            event.respondWith({ n }, { done: false });
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
        }",
    ),
];

/// The limit for an answer is an hour here, so that nothing but the wait for a later state ends these.
#[test]
fn a_state_that_never_ends_is_answered_soon() {
    let site =
        ENDLESS.iter().fold(Site::new(), |site, (name, code)| site.file(&format!("{name}/handler.js"), code));
    let host = site.arg("--answer-timeout=1h").serve();

    for (name, _) in ENDLESS {
        let answer = host.request("GET", &format!("/{name}")).plain().send();
        assert_eq!(answer.status, 200, "{name}: {answer:?}");
        assert!(answer.json()["n"].is_u64(), "{name}: {answer:?}");
    }
}

#[test]
fn a_plain_client_may_choose_how_long_it_waits() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"let go;
            export default async (event, next) => {
              if (next.stepname === "go") return go();
              event.waitUntil(new Promise((resolve) => (go = resolve)).then(() => event.respondWith({ step: 2 })));
              event.respondWith({ step: 1 }, { done: false });
              console.error("it waits");
            }"#,
        )
        .serve();

    // Not at all: the first state, though another comes.
    let answer = host.request("GET", "/").plain().header("prefer", "respond-async, wait=0").send();
    assert_eq!(answer.json(), json!({ "step": 1 }));
    host.log.next("it waits");

    // Longer than the default: the second state comes when `/go` is requested.
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| host.request("GET", "/").plain().header("prefer", "wait=60").send());
        host.log.next("it waits");
        host.get("/go");
        waiting.join().expect("an answer")
    });
    assert_eq!(answer.json(), json!({ "step": 2 }));
}

#[test]
fn a_plain_client_sees_what_changed_in_place() {
    let host = serve(
        r#"import { Observer } from "@webqit/observer";
        export default function (event) {
          const data = { list: [] };
          event.waitUntil((async () => {
            await new Promise((resolve) => setTimeout(resolve));
            Observer.proxy(data.list).push(1, 2);
          })());
          return data;
        }"#,
    );

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "list": [1, 2] }));
}

#[test]
fn a_plain_client_gets_what_a_generator_ends_with() {
    let host = serve("export default async function* () { yield 1; yield 2; yield { three: 3 }; }");

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "three": 3 }));
}

#[test]
fn a_plain_client_follows_the_redirect_that_came_last() {
    let host = serve(
        r#"export default async function (event) {
          event.respondWith({ step: 1 }, { done: false });
          await new Promise((resolve) => setTimeout(resolve));
          event.respondWith(null, { status: 302, headers: { Location: "/done" } });
        }"#,
    );

    let answer = host.request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.header("location")), (302, Some("/done")));
}

#[test]
fn a_plain_client_does_not_wait_for_a_navigation() {
    let host = serve("export default function (event) { event.waitUntilNavigate(); return { now: true }; }");

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "now": true }));
}

#[test]
fn a_message_is_no_answer_for_a_plain_client() {
    let host = serve(
        r#"export default async function (event) {
          event.client.postMessage({ progress: 10 });
          await new Promise((resolve) => setTimeout(resolve));
          return { done: true };
        }"#,
    );

    let answer = host.request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.json()), (200, json!({ "done": true })));
}

#[test]
fn a_plain_client_that_is_asked_learns_what_it_takes() {
    let host = serve(
        r#"export default async function (event) {
          const answer = await event.user.confirm("sure?");
          return { sure: answer.data };
        }"#,
    );

    let answer = host.request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.header("upgrade")), (426, Some("websocket")));
    assert!(answer.text().contains("X-Accept-Live"), "{answer:?}");
}

#[test]
fn a_handler_may_do_without_the_answer_of_a_plain_client() {
    let host = serve(
        r#"export default async function (event) {
          try {
            await event.user.confirm("sure?");
          } catch (error) {
            return { asked: error.name };
          }
        }"#,
    );

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "asked": "NotSupportedError" }));
}

#[test]
fn a_plain_client_counts_as_open() {
    let host = serve(
        r#"export default async function (event) {
          event.respondWith({ step: 1 }, { done: false });
          await event.client.readyStateChange("open");
          event.respondWith({ step: 2 });
        }"#,
    );

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "step": 2 }));
}

#[test]
fn a_plain_client_of_an_endless_handler_gets_its_state_in_the_end() {
    let site = Site::new().file(
        "handler.js",
        r#"export default function (event) {
          event.signal.addEventListener("abort", () => console.error("it ended"));
          event.respondWith({ on: "and on" }, { done: false });
        }"#,
    );
    let host = site.arg("--answer-timeout=200ms").serve();

    let answer = host.request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.json()), (200, json!({ "on": "and on" })));
    host.log.next("it ended");
}

#[test]
fn a_plain_client_gets_the_state_when_the_handler_closes() {
    let host = serve(
        r#"export default async function (event) {
          event.respondWith({ step: 1 }, { done: false });
          await new Promise((resolve) => setTimeout(resolve));
          event.client.close();
        }"#,
    );

    assert_eq!(host.request("GET", "/").plain().send().json(), json!({ "step": 1 }));
}

#[test]
fn a_failure_after_a_held_state_is_a_failure() {
    let host = serve(
        r#"export default async function (event) {
          event.respondWith({ step: 1 }, { done: false });
          await new Promise((resolve) => setTimeout(resolve));
          throw new Error("too bad");
        }"#,
    );

    assert_eq!(host.request("GET", "/").plain().send().status, 500);
}

// -- lines of JSON ------------------------------------------------------------------------------------

#[test]
fn lines_of_json_have_every_state() {
    assert_eq!(
        lines(&serve(STEPS), "/"),
        [
            json!({ "event": "state", "data": { "step": 1 } }),
            json!({ "event": "state", "id": "response.replace-1", "data": { "step": 2 } }),
            json!({ "event": "done", "data": null }),
            json!({ "event": "close", "data": { "code": 1000, "reason": "done" } }),
        ]
    );
}

#[test]
fn lines_of_json_have_a_final_answer() {
    let told = lines(&serve("export default () => ({ plain: true })"), "/");

    assert_eq!(
        told,
        [
            json!({ "event": "state", "data": { "plain": true } }),
            json!({ "event": "close", "data": { "code": 1000, "reason": "done" } }),
        ]
    );
}

#[test]
fn lines_of_json_have_messages_and_changes() {
    let host = serve(
        r#"export default function (event) {
          event.respondWith({ n: 0 }, async ($data) => {
            event.client.postMessage("hello");
            $data.n = 1;
          });
        }"#,
    );

    let told = lines(&host, "/");

    let names: Vec<_> = told.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!(names, ["state", "message", "mutate", "done", "close"]);
    assert_eq!(told[2]["data"][0]["value"], json!(1));
}

#[test]
fn a_message_first_has_no_state() {
    let host = serve(
        r#"export default async function (event) {
          event.client.postMessage({ progress: 10 });
          await new Promise((resolve) => setTimeout(resolve));
          return { ok: 1 };
        }"#,
    );

    let told = lines(&host, "/");

    let names: Vec<_> = told.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!(names, ["message", "state", "done", "close"]);
}

#[test]
fn what_is_not_data_is_answered_as_ever() {
    let host =
        serve(r#"export default () => new Response("<p>hi", { headers: { "content-type": "text/html" } })"#);

    let answer = host.request("GET", "/").plain().header("accept", "application/x-ndjson").send();

    assert_eq!((answer.header("content-type"), answer.text()), (Some("text/html"), "<p>hi"));
}

// -- server-sent events -------------------------------------------------------------------------------

#[test]
fn an_event_source_receives_every_state() {
    let host = serve(STEPS);

    let answer = host.request("GET", "/").plain().header("accept", "text/event-stream").send();

    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        answer.text(),
        "event: state\ndata: {\"step\":1}\n\n\
         event: state\nid: response.replace-1\ndata: {\"step\":2}\n\n\
         event: done\ndata: null\n\n\
         event: close\nid: liveline-end\ndata: {\"code\":1000,\"reason\":\"done\"}\n\n"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
}

/// An event source asks again after each end, with the id that came last. Only 204 stops it.
#[test]
fn an_event_source_that_has_all_asks_in_vain() {
    let host = serve(
        r#"let runs = 0;
        export default async function (event) {
          runs += 1;
          if (event.url.searchParams.has("final")) return { runs };
          event.respondWith({ runs }, { done: false });
          await new Promise((resolve) => setTimeout(resolve));
          event.respondWith({ runs, last: true });
        }"#,
    );
    let ask = |path: &str, id: &str| {
        host.request("GET", path)
            .plain()
            .header("accept", "text/event-stream")
            .header("last-event-id", id)
            .send()
    };

    for (path, run) in [("/", 1), ("/?final", 2)] {
        let told = ask(path, "");
        assert!(told.text().contains(&format!("\"runs\":{run}")), "{told:?}");
        let last =
            told.text().lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id");
        let again = ask(path, last);
        assert_eq!((again.status, again.text()), (204, ""));
    }
    // A stream that broke off is asked for again, and so is anything by who takes no events.
    assert!(ask("/?final", "response.replace-1").text().contains("\"runs\":3"));
    let plain = host.request("GET", "/?final").plain().header("last-event-id", "liveline-end").send();
    assert_eq!(plain.json(), json!({ "runs": 4 }));
}

/// After these codes a client should ask again, and an event source does.
#[test]
fn an_event_source_asks_again_where_that_helps() {
    let host = serve(
        r#"export default (event) => {
          event.waitUntilNavigate();
          for (let i = 0; i < 2000; i++) event.client.postMessage("x".repeat(1000), { type: "n" });
          return {};
        };"#,
    );

    let answer = host.request("GET", "/").plain().header("accept", "text/event-stream").send();

    assert!(answer.text().contains("1013") && !answer.text().contains("liveline-end"), "{answer:?}");
}

#[test]
fn an_event_source_may_send_to_the_address_of_its_line() {
    let host = serve(
        r#"export default async function (event) {
          const answer = await event.user.confirm("sure?");
          return { sure: answer.data };
        }"#,
    );
    let mut stream = host.request("GET", "/").header("accept", "text/event-stream").stream();
    let session = stream.header("x-live-session").expect("the address of the line");
    let path = session.strip_prefix("socket://").expect("a socket").to_owned();
    let question = stream.next_event().expect("a question");
    assert_eq!(question.name, "confirm");

    let reply =
        json!({ "message": true, ".wq": { "type": format!("{}:0:message", question.id), "eventID": "r" } });
    assert_eq!(host.request("POST", &path).json(&reply).send().status, 204);

    let state = stream.next_event().expect("a state");
    assert_eq!((&*state.name, &*state.data), ("state", r#"{"sure":true}"#));
}
