//! Live responses of other servers: a handler follows them, talks to them, and passes them on as its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use serde_json::json;

use crate::support::{Host, Site, handler, observed, on_go, serve};

/// A host whose handler has `upstream`, the other host's address, and this body.
fn gateway(upstream: &Host, body: &str) -> Host {
    serve(&handler(&format!("const upstream = 'http://{}'; {body}", upstream.address())))
}

/// A host that passes on what the other host answers at the same path.
fn relay(upstream: &Host) -> Host {
    gateway(upstream, "return LiveResponse.from(await fetch(upstream + event.url.pathname));")
}

/// A host that returns at `/seen` what `seen` holds. Its handler has `upstream` and this body.
fn watching_gateway(upstream: &Host, body: &str) -> Host {
    serve(&observed(&format!("const upstream = 'http://{}'; {body}", upstream.address())))
}

#[test]
fn states_and_deltas_of_an_upstream_go_on_to_the_client() {
    let upstream = serve(&on_go(
        r#"const data = { list: [1] };
        event.respondWith(data, { done: false, headers: { "x-a": "1" } });
        await go;
        Observer.proxy(data.list).push(2);
        await event.respondWith({ step: 2 }, { done: false, status: 201 });
        event.respondWith({ step: 3 });"#,
    ));
    let host = relay(&upstream);

    let (answer, mut line) = host.open("/");

    assert_eq!((answer.status, answer.json()), (200, json!({ "list": [1] })));
    assert_eq!(answer.header("x-a"), Some("1"));
    line.send("go", json!(null));
    let records = line.expect("initial_response.mutate");
    assert_eq!((&records[0]["path"], &records[0]["value"]), (&json!(["list", "1"]), &json!(2)));
    let second = line.expect("response.replace");
    assert_eq!((&second["body"], &second["status"]), (&json!({ "step": 2 }), &json!(201)));
    assert_eq!(line.expect_body(), json!({ "step": 3 }));
    line.done();
}

#[test]
fn the_client_gets_addresses_of_its_own_host() {
    let upstream =
        serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; event.respondWith({ a: 2 });"));
    for body in [
        "return LiveResponse.from(await fetch(upstream));",
        "return await fetch(upstream);",
        "await event.respondWith(await fetch(upstream));",
        "event.respondWith(fetch(upstream));",
    ] {
        let host = gateway(&upstream, body);

        let (answer, mut line) = host.open("/");

        assert_eq!(answer.json(), json!({ "a": 1 }), "{body}");
        assert_eq!(answer.all("x-live-session").len(), 1, "{body}");
        assert_eq!(answer.all("x-background-messaging-port").len(), 1, "{body}");
        line.send("go", json!(null));
        assert_eq!(line.expect_body(), json!({ "a": 2 }), "{body}");
        line.done();
    }
}

#[test]
fn no_later_state_names_the_upstream() {
    let upstream = serve("export default () => ({ secret: 1 });");
    let host = gateway(
        &upstream,
        r#"event.respondWith({ a: 1 }, { done: false });
        await new Promise((r) => setTimeout(r));
        event.respondWith(await fetch(upstream));"#,
    );
    let (_, mut line) = host.open("/");

    assert_eq!(line.expect_body(), json!({ "secret": 1 }));
    line.done();

    assert!(!line.transcript().contains(&upstream.address().to_string()), "{}", line.transcript());
}

#[test]
fn a_202_of_an_upstream_waits_for_the_first_state() {
    let upstream = serve(&handler(
        r#"const answer = await event.user.confirm("sure?");
        return { sure: answer.data };"#,
    ));
    let host = relay(&upstream);

    let (answer, mut line) = host.open("/");

    assert_eq!((answer.status, answer.text()), (202, ""));
    let question = line.next_frame();
    assert_eq!((question.kind.as_str(), question.ports), ("confirm", 1));
    assert_eq!(question.message, json!({ "message": "sure?" }));
    line.reply(&question, json!(true));
    assert_eq!(line.expect_body(), json!({ "sure": true }));
    line.done();
}

#[test]
fn messages_and_requests_go_both_ways() {
    let upstream = serve(&on_go(
        r#"event.respondWith({ a: 1 }, { done: false });
        event.client.addRequestListener("sum", (e) => e.data[0] + e.data[1]);
        event.client.addEventListener("echo", (e) => event.client.postMessage(e.data, { type: "echoed" }));
        await go;
        event.respondWith({ a: 2 });"#,
    ));
    let host = relay(&upstream);
    let (_, mut line) = host.open("/");

    line.send("echo", json!({ "n": 1 }));
    assert_eq!(line.expect("echoed"), json!({ "n": 1 }));
    line.send_text(r#"{"message":[2,3],".wq":{"type":"sum","eventID":"sum-1","numPorts":1}}"#);
    assert_eq!(line.expect("sum-1:0:message"), json!(5));
    line.send("go", json!(null));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
}

#[test]
fn live_messages_of_an_upstream_stay_live() {
    let upstream = serve(&on_go(
        r#"event.respondWith({ a: 1 }, { done: false });
        const data = { n: 0 };
        await go;
        event.client.postMessage(data, { type: "state", live: true });
        Observer.set(data, "n", 1);
        event.respondWith({ a: 2 });"#,
    ));
    let host = relay(&upstream);
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));
    let state = line.next_frame();
    assert_eq!((state.kind.as_str(), state.live, &state.message), ("state", true, &json!({ "n": 0 })));
    let records = line.expect(&format!("{}.mutate", state.id));
    assert_eq!((&records[0]["path"], &records[0]["value"]), (&json!(["n"]), &json!(1)));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
}

#[test]
fn an_intermediate_handler_receives_all_and_may_keep_messages() {
    let upstream = serve(&on_go(
        r#"event.respondWith({ a: 1 }, { done: false });
        await go;
        event.client.postMessage("secret", { type: "kept" });
        const answer = await event.user.confirm("sure?");
        event.client.postMessage(answer.data, { type: "told" });
        event.respondWith({ a: 2 });"#,
    ));
    let host = watching_gateway(
        &upstream,
        r#"const live = LiveResponse.from(await fetch(upstream));
        for (const type of ["kept", "confirm", "told"]) {
          live.background.addEventListener(type, (e) => {
            seen.push([type, e.data]);
            if (type === "kept") e.stopImmediatePropagation();
            if (type !== "confirm") return;
            e.preventDefault();
            e.ports[0].postMessage("by the handler");
          });
        }
        return live;"#,
    );
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));
    assert_eq!(line.expect("told"), json!("by the handler"));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
    let seen = json!([
        ["kept", "secret"],
        ["confirm", { "message": "sure?" }],
        ["told", "by the handler"],
        "aborted"
    ]);
    host.until("/seen", |answer| answer.json()["seen"] == seen);
}

#[test]
fn a_handler_talks_to_an_upstream_without_passing_it_on() {
    let upstream = serve(&on_go(
        r#"event.client.addRequestListener("name", () => "upstream");
        event.respondWith({ n: 0 }, { done: false });
        await go;
        event.respondWith({ n: 1 });"#,
    ));
    let host = gateway(
        &upstream,
        r#"const live = LiveResponse.from(await fetch(upstream));
        await live.readyStateChange("live");
        const states = [live.body.n];
        Observer.observe(live, "body", ({ value }) => states.push(value.n));
        const { data } = await live.background.postRequest(null, { type: "name" });
        live.background.postMessage(null, { type: "go" });
        await live.readyStateChange("done");
        return { states, name: data, hasPort: LiveResponse.hasPort(live) };"#,
    );

    let answer = host.get("/");

    assert_eq!(answer.json(), json!({ "states": [0, 1], "name": "upstream", "hasPort": true }));
    assert!(!answer.is_live());
}

#[test]
fn addresses_of_every_form_lead_to_the_line() {
    let upstream =
        serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; event.respondWith({ a: 2 });"));
    let forms = [
        // As it comes, which is relative.
        "response.headers.get('x-live-session')",
        // Absolute, and in the response of another origin.
        "response.headers.get('x-live-session').replace('socket://', 'socket://' + upstream.replace('http', 'ws'))",
    ];
    for form in forms {
        let host = gateway(
            &upstream,
            &format!(
                r#"const response = await fetch(upstream);
                const session = {form};
                const other = new Response(response.body, {{
                  headers: {{ "content-type": "application/json", "x-live-session": session }},
                }});
                const live = LiveResponse.from(session.includes("//ws:") ? other : response);
                live.background.postMessage(null, {{ type: "go" }});
                await live.readyStateChange("done");
                return live.body;"#
            ),
        );

        assert_eq!(host.get("/").json(), json!({ "a": 2 }), "{form}");
    }
}

#[test]
fn the_older_header_leads_to_the_line() {
    let upstream =
        serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; event.respondWith({ a: 2 });"));
    let host = gateway(
        &upstream,
        r#"const response = await fetch(upstream);
        const port = response.headers.get("x-background-messaging-port");
        const older = new Response(response.body, {
          headers: { "content-type": "application/json", "x-background-messaging-port": port },
        });
        Object.defineProperty(older, "url", { value: response.url });
        const live = LiveResponse.from(older);
        live.background.postMessage(null, { type: "go" });
        await live.readyStateChange("done");
        return live.body;"#,
    );

    assert_eq!(host.get("/").json(), json!({ "a": 2 }));
}

#[test]
fn a_line_is_joined_as_whom_the_response_was_fetched() {
    let upstream = serve(&on_go(
        r#"event.session.set("since", "first");
        event.respondWith({ a: 1 }, { done: false });
        await go;
        event.respondWith({ a: 2 });"#,
    ));
    let host = relay(&upstream);

    let (answer, mut line) = host.open("/");

    assert!(answer.header("set-cookie").is_none(), "the session is between the hosts: {answer:?}");
    line.send("go", json!(null));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
}

#[test]
fn an_upstream_that_dies_ends_the_line_with_4003() {
    let upstream =
        serve(&handler("event.respondWith({ a: 1 }, { done: false }); event.waitUntilNavigate();"));
    let host = watching_gateway(
        &upstream,
        r#"const live = LiveResponse.from(await fetch(upstream));
        live.background.addEventListener("close", (e) => seen.push(e.code));
        return live;"#,
    );
    let (_, mut line) = host.open("/");
    // The line is up on its whole length.
    line.send("hello", json!(null));

    upstream.signal("KILL");

    assert_eq!(line.closed(), 4003);
    host.until("/seen", |answer| answer.json()["seen"] == json!([1006, "aborted"]));
}

#[test]
fn an_upstream_whose_handler_throws_ends_the_line_with_4003() {
    let upstream = serve(&on_go(
        r#"event.respondWith({ a: 1 }, { done: false });
        await go;
        throw new Error("upstream trouble");"#,
    ));
    let host = relay(&upstream);
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));

    assert_eq!(line.closed(), 4003);
    host.log.next("The line to the upstream closed with 4002");
}

#[test]
fn an_error_that_is_its_own_cause_ends_the_fetch() {
    let host = serve(&handler(
        r#"const error = new Error("circular");
        error.cause = error;
        return await fetch(event.url, { signal: AbortSignal.abort(error) }).catch(({ message }) => message);"#,
    ));

    assert_eq!(host.get("/").text(), "circular");
}

#[test]
fn an_upstream_that_is_lost_before_its_first_state_is_a_502() {
    let upstream = serve(&on_go(
        r#"event.client.postMessage("ready?", { type: "ready" });
        await go;
        throw new Error("upstream trouble");"#,
    ));
    let host = gateway(
        &upstream,
        r#"const live = LiveResponse.from(await fetch(upstream));
        live.background.addEventListener("ready", (e) => {
          e.preventDefault();
          live.background.postMessage(null, { type: "go" });
        });
        return live;"#,
    );

    let answer = host.get("/");

    assert_eq!(answer.status, 502, "{answer:?}");
}

#[test]
fn a_client_that_leaves_closes_the_line_to_the_upstream() {
    let upstream = serve(&observed(
        r#"event.respondWith({ a: 1 }, { done: false });
        event.client.addEventListener("hello", () => event.client.postMessage(null, { type: "welcome" }));
        event.client.addEventListener("close", (e) => seen.push(e.code));
        event.waitUntilNavigate();"#,
    ));
    let host = relay(&upstream);
    let (_, mut line) = host.open("/");
    line.send("hello", json!(null));
    line.expect("welcome");

    line.close();

    upstream.until("/seen", |answer| answer.json()["seen"] == json!([1001, "aborted"]));
}

#[test]
fn a_line_that_is_not_passed_on_ends_with_the_exchange() {
    let upstream = serve(&observed(
        r#"event.respondWith({ a: 1 }, { done: false });
        event.client.addEventListener("close", (e) => seen.push(e.code));
        event.waitUntilNavigate();"#,
    ));
    let host = gateway(
        &upstream,
        r#"const live = LiveResponse.from(await fetch(upstream));
        await live.background.readyStateChange("open");
        return { a: 2 };"#,
    );

    assert_eq!(host.get("/").json(), json!({ "a": 2 }));

    upstream.until("/seen", |answer| answer.json()["seen"] == json!([1001, "aborted"]));
}

#[test]
fn three_hosts_in_a_row_are_one_conversation() {
    let first = serve(&on_go(
        r#"const data = { n: 0 };
        event.respondWith(data, { done: false });
        await go;
        Observer.set(data, "n", 1);
        const answer = await event.user.prompt("name?");
        event.respondWith({ name: answer.data });"#,
    ));
    let second = relay(&first);
    let third = relay(&second);
    let (answer, mut line) = third.open("/");

    assert_eq!(answer.json(), json!({ "n": 0 }));
    line.send("go", json!(null));
    assert_eq!(line.expect("initial_response.mutate")[0]["value"], json!(1));
    let question = line.next_frame();
    assert_eq!(question.kind, "prompt");
    line.reply(&question, json!("bob"));
    assert_eq!(line.expect_body(), json!({ "name": "bob" }));
    line.done();
}

#[test]
fn a_plain_client_gets_the_last_state_of_an_upstream() {
    let upstream = serve(&handler(
        r#"event.respondWith({ a: 1 }, { done: false });
        await new Promise((r) => setTimeout(r));
        event.respondWith({ a: 2 });"#,
    ));
    let host = relay(&upstream);

    let answer = host.request("GET", "/").plain().send();

    assert_eq!((answer.status, answer.json()), (200, json!({ "a": 2 })));
}

#[test]
fn an_upstream_that_cannot_be_joined_is_lost() {
    let upstream = serve("export default () => Response.json({ a: 1 });");
    let host = gateway(
        &upstream,
        r#"const live = LiveResponse.from(new Response("{}", {
          headers: {
            "content-type": "application/json",
            "x-live-session": `socket://${upstream.replace("http", "ws")}/.liveline/${"0".repeat(32)}`,
          },
        }));
        const closed = new Promise((r) => live.background.addEventListener("close", r));
        await live.readyStateChange("done");
        const { code, wasClean } = await closed;
        return { body: live.body, code, wasClean };"#,
    );

    assert_eq!(host.get("/").json(), json!({ "body": {}, "code": 1006, "wasClean": false }));
}

#[test]
fn data_of_an_inner_handler_comes_with_a_port() {
    let site = Site::new()
        .file(
            "handler.js",
            r#"
            import { LiveResponse } from "@webqit/webflo";
            export default async function (event, next) {
              const live = LiveResponse.from(await next());
              live.background.addEventListener("message", () => {});
              return live;
            }"#,
        )
        .file("data/handler.js", "export default () => ({ a: 1 });")
        .file("response/handler.js", "export default () => Response.json({ a: 2 });");
    let host = site.serve();

    for (path, expected) in [("/data", 1), ("/response", 2)] {
        let answer = host.get(path);
        assert_eq!((answer.status, answer.json()), (200, json!({ "a": expected })));
        assert!(!answer.is_live());
    }
}

#[test]
fn a_line_over_tls_is_tried_over_tls() {
    let upstream = serve("export default () => 1;");
    let host = gateway(
        &upstream,
        r#"const live = LiveResponse.from(new Response("{}", {
          headers: { "x-live-session": `socket://${upstream.replace("http", "wss")}/x` },
        }));
        const { code, reason } = await new Promise((r) => live.background.addEventListener("close", r));
        return { code, reason };"#,
    );

    let closed = host.get("/").json();

    assert_eq!(closed["code"], 1006);
    let reason = closed["reason"].as_str().expect("a reason");
    assert!(reason.contains("InvalidContentType"), "the plain host is not understood as TLS: {reason}");
}

/// A server that answers each connection with the next of `answers`, and gives the heads of the requests.
fn scripted(answers: Vec<String>) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the address of a listener");
    let heads = thread::spawn(move || {
        let serve_one = |answer: String| {
            let (mut stream, _) = listener.accept().expect("a connection");
            let lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
            let head: Vec<_> =
                lines.map(|line| line.expect("a line")).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).expect("the client reads");
            head.join("\n").to_lowercase()
        };
        answers.into_iter().map(serve_one).collect()
    });
    (address, heads)
}

fn live_answer(session: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: given=1; HttpOnly\r\n\
         X-Live-Session: {session}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    )
}

const REFUSAL: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

const FETCH_AS_SOMEBODY: &str = r#"
    const headers = { cookie: "own=2", authorization: "Bearer 3" };
    const live = LiveResponse.from(await fetch(upstream, { headers }));
    await live.readyStateChange("done");
    return { done: true };"#;

#[track_caller]
fn fetch_as_somebody(upstream: SocketAddr) {
    let host = serve(&handler(&format!("const upstream = 'http://{upstream}'; {FETCH_AS_SOMEBODY}")));
    assert_eq!(host.get("/").json(), json!({ "done": true }));
}

#[test]
fn a_line_of_the_same_origin_gets_the_credentials_of_the_fetch() {
    let (upstream, heads) = scripted(vec![live_answer("socket:///line?v=2"), REFUSAL.into()]);

    fetch_as_somebody(upstream);

    let heads = heads.join().expect("both requests came");
    assert!(heads[0].contains("x-accept-live: *"), "{}", heads[0]);
    assert!(heads[1].starts_with("get /line?v=2 "), "{}", heads[1]);
    assert!(heads[1].contains("cookie: own=2; given=1"), "{}", heads[1]);
    assert!(heads[1].contains("authorization: bearer 3"), "{}", heads[1]);
}

#[test]
fn a_line_of_another_origin_gets_no_credentials() {
    let (elsewhere, joins) = scripted(vec![REFUSAL.into()]);
    let (upstream, _) = scripted(vec![live_answer(&format!("socket://ws://{elsewhere}/line"))]);

    fetch_as_somebody(upstream);

    let joins = joins.join().expect("the line was dialled");
    assert!(joins[0].starts_with("get /line "), "{}", joins[0]);
    assert!(!joins[0].contains("cookie:") && !joins[0].contains("authorization:"), "{}", joins[0]);
}

#[test]
fn an_observer_of_an_upstream_that_throws_does_not_break_its_line() {
    let upstream = serve(&handler(
        r#"const data = { n: 0 };
        event.client.addRequestListener("add", (e) => (Observer.set(data, "n", data.n + 1), data.n));
        event.respondWith(data, { done: false });"#,
    ));
    let host = serve(&handler(&format!(
        r#"const live = LiveResponse.from(await fetch("http://{}"));
        await live.readyStateChange("live");
        Observer.observe(live.body, "n", () => {{ throw new Error("the observer's"); }});
        const options = {{ type: "add" }};
        await live.background.postRequest(0, () => {{ throw new Error("the callback's"); }}, options);
        return (await live.background.postRequest(0, options)).data;"#,
        upstream.address()
    )));

    assert_eq!(host.get("/").json(), json!(2));

    host.log.next("the observer's");
    host.log.next("the callback's");
}

#[test]
fn a_response_that_was_followed_can_still_be_returned() {
    let upstream =
        serve(&on_go("event.respondWith({ a: 1 }, { done: false }); await go; event.respondWith({ a: 2 });"));
    let host = serve(&handler(&format!(
        r#"const response = await fetch("http://{}");
        const twice = [LiveResponse.from(response), LiveResponse.from(response)];
        const done = Promise.all(twice.map((live) => live.readyStateChange("done")));
        event.waitUntil(done.then(() => console.error(JSON.stringify(twice.map(({{ body }}) => body)))));
        return response;"#,
        upstream.address()
    )));

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!({ "a": 1 }));
    line.send("go", json!(null));
    assert_eq!(line.expect_body(), json!({ "a": 2 }));
    line.done();
    host.log.next(r#"[{"a":2},{"a":2}]"#);
}
