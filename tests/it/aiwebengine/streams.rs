//! Streams: who receives a message, how it is written, and what becomes of clients.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};

use super::{follow, next, next_text, post, script, seed, until};
use crate::support::{EventStream, Site};

#[test]
fn the_quick_start_of_the_guide_works() {
    let host = script(seed!("quickstart.js")).serve();
    let mut events = follow(&host, "/events");

    let answer = host.request("POST", "/trigger").send();

    assert_eq!((answer.status, answer.text()), (200, "Event sent"));
    let event = next(&mut events);
    assert_eq!((&event["type"], &event["message"]), (&json!("event"), &json!("Something happened!")));
    assert!(event["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
}

#[test]
fn a_stream_begins_before_the_first_message() {
    let host = script(seed!("quickstart.js")).serve();
    let events = follow(&host, "/events");
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    assert!(events.header("cache-control").is_some_and(|it| it.contains("no-cache")));
    assert_eq!(events.header("x-accel-buffering"), Some("no"));

    let mut socket = host.begin("GET", "/events");
    let mut seen = String::new();
    while !seen.contains("retry: 1000\n") {
        let mut bytes = [0; 512];
        let read = socket.read(&mut bytes).expect("the beginning of the stream");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
}

#[test]
fn a_message_without_a_path_goes_to_all_streams_in_order() {
    let text = format!("{}\nregister('/action', 'handleUserAction', 'POST');", seed!("multi.js"));
    let host = script(&text).serve();
    let mut streams: Vec<EventStream> =
        ["/notifications", "/system-status", "/chat"].map(|path| follow(&host, path)).into();

    assert_eq!(post(&host, "/action", "action=critical_operation&user=u1").text(), "Action processed");

    for stream in &mut streams {
        let first = next(stream);
        assert_eq!(first, json!({ "type": "user_action", "action": "critical_operation", "user": "u1" }));
        let second = next(stream);
        assert_eq!(
            second,
            json!({ "type": "system_status", "status": "busy", "operation": "critical_operation" })
        );
    }
    post(&host, "/action", "action=other&user=u2");
    assert_eq!(next(&mut streams[0])["user"], "u2");
}

#[test]
fn an_app_is_a_folder() {
    let app = |name: &str| {
        format!(
            "registerWebStream('/{name}');
             register('/{name}/send', (req) => sendStreamMessage({{ from: '{name}' }}), 'POST');"
        )
    };
    let host = Site::new()
        .file("src/a/a.js", app("a"))
        .file("src/b/b.js", app("b"))
        .file("src/a/more.js", "registerWebStream('/a/more');")
        .serve();
    let (mut a, mut more, mut b) = (follow(&host, "/a"), follow(&host, "/a/more"), follow(&host, "/b"));

    let sent = host.request("POST", "/a/send").send();
    assert_eq!(sent.text(), "Stream message sent to 2 connections on 2 streams");
    host.request("POST", "/b/send").send();

    assert_eq!(next(&mut a)["from"], "a");
    assert_eq!(next(&mut more)["from"], "a");
    assert_eq!(next(&mut b)["from"], "b");
}

#[test]
fn strings_are_sent_as_they_are() {
    let host = script(
        "registerWebStream('/s');
         register('/send', (req) => sendStreamMessage(req.body), 'POST');",
    )
    .serve();
    let mut socket = host.begin("GET", "/s");
    socket.write_all(b"").expect("an open socket");
    until("nobody follows", || {
        host.request("POST", "/send").body("plain text").send().text().contains("1 connection")
    });
    host.request("POST", "/send").body("a\nb").send();
    let mut seen = String::new();
    while !seen.contains("data: b\n") {
        let mut bytes = [0; 512];
        let read = socket.read(&mut bytes).expect("the events");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    assert!(seen.contains("data: plain text\n"), "{seen}");
    assert!(seen.contains("data: a\ndata: b\n"), "{seen}");
}

#[test]
fn what_cannot_be_json_is_an_error_where_it_was_sent() {
    let host = script(
        "registerWebStream('/s');
         const cyclic = {}; cyclic.self = cyclic;
         register('/big', () => sendStreamMessage({ a: 1n }));
         register('/cyclic', () => sendStreamMessage(cyclic));
         register('/nothing', () => sendStreamMessage());
         register('/caught', () => {
           try { sendStreamMessage(cyclic); } catch (error) { return error.name + ': ' + error.message; }
         });
         register('/fine', () => sendStreamMessage({ a: 1 }));",
    )
    .serve();
    for path in ["/big", "/cyclic", "/nothing"] {
        let answer = host.get(path);
        assert_eq!(answer.status, 500, "{path}");
        let error = super::failure(&answer);
        host.log.next(error["request_id"].as_str().expect("an id"));
    }
    host.log.contains("scripts/main.js:3");
    assert!(
        host.get("/caught").text().starts_with("TypeError: sendStreamMessage(): the message cannot be JSON")
    );
    assert_eq!(host.get("/fine").status, 200);
}

#[test]
fn the_use_cases_of_the_guide_work() {
    let host = Site::new()
        .file("scripts/alerts.js", seed!("alerts.js"))
        .file("scripts/dashboard.js", seed!("dashboard.js"))
        .file("scripts/chat.js", seed!("chat.js"))
        .file("scripts/data-feed.js", seed!("data-feed.js"))
        .file("scripts/webhook.js", seed!("webhook.js"))
        .serve();
    let mut notifications = follow(&host, "/notifications");
    let mut feed = follow(&host, "/data-feed");

    assert_eq!(post(&host, "/send-alert", "type=t&message=m").text(), "Alert sent");
    let alert = next(&mut notifications);
    assert_eq!(
        (&alert["alertType"], &alert["message"], &alert["priority"]),
        (&json!("t"), &json!("m"), &json!("normal"))
    );
    assert_eq!(next(&mut feed)["type"], "alert");

    assert_eq!(post(&host, "/update-metrics", "").text(), "Metrics updated");
    assert!(next(&mut feed)["cpu"].as_f64().is_some_and(|cpu| (0.0..100.0).contains(&cpu)));

    assert_eq!(post(&host, "/chat/send", "user=ann&room=r&message=a+b%26c").text(), "Message sent");
    let chat = next(&mut feed);
    assert_eq!((&chat["user"], &chat["message"]), (&json!("ann"), &json!("a b&c")));

    assert_eq!(host.get("/broadcast-data?sensor=s1").text(), "Data broadcasted");
    assert_eq!(next(&mut feed)["sensor_id"], "s1");

    let hook = json!({ "action": "opened", "repository": { "name": "liveline" } });
    assert_eq!(host.request("POST", "/webhook/github").json(&hook).send().text(), "Webhook processed");
    let update = next(&mut feed);
    assert_eq!((&update["event"], &update["repository"]), (&json!("opened"), &json!("liveline")));

    let bad = host.request("POST", "/webhook/github").body("{ no JSON").send();
    assert_eq!(bad.status, 500);
    let id = super::failure(&bad)["request_id"].as_str().expect("an id").to_owned();
    assert!(host.log.next(&id).contains("POST /webhook/github of scripts/webhook.js"));
    assert_eq!(host.request("POST", "/webhook/github").json(&hook).send().status, 200);
}

#[test]
fn a_handler_that_catches_its_error_answers_and_sends() {
    let text = format!("registerWebStream('/s');\nregister('/safe', 'safeHandler');\n{}", seed!("safe.js"));
    let host = script(&text).serve();
    let mut events = follow(&host, "/s");

    let answer = host.get("/safe");

    assert_eq!((answer.status, answer.text()), (500, "Error occurred"));
    let event = next(&mut events);
    assert_eq!((&event["type"], &event["message"]), (&json!("error"), &json!("Something went wrong")));
    host.prints("[scripts/main.js:9:5] Error in handler: result is not defined");
}

#[test]
fn the_log_shows_lines_in_order_with_their_places() {
    let host = script(seed!("troubleshooting.js")).serve();
    host.prints("[scripts/main.js:2:1] Registering stream...");
    host.prints("[scripts/main.js:4:1] Stream registered");
    host.prints("[scripts/main.js:7:1] Sending message...");
    host.prints("[scripts/main.js:9:1] Message sent");
}

#[test]
fn the_paths_of_the_guide_are_streams() {
    let text = format!("{}\n{}", seed!("paths.js"), seed!("good_paths.js"));
    let host = script(&text).serve();
    for path in [
        "/notifications",
        "/chat/room1",
        "/status/server1",
        "/notifications/user123",
        "/chat/room/general",
        "/s",
    ] {
        assert_eq!(follow(&host, path).header("content-type"), Some("text/event-stream"), "{path}");
    }
}

#[test]
fn messages_with_a_filter_reach_those_whose_metadata_fit() {
    let host = script(
        "function init(context) {
           routeRegistry.registerStreamRoute('/s', 'metadata');
           routeRegistry.registerStreamRoute('/plain');
           routeRegistry.registerRoute('/send', 'send', 'POST');
         }
         function metadata(context) { return context.request.query; }
         function send(context) {
           const { path, filter, mode, id } = JSON.parse(context.request.body);
           return routeRegistry.sendStreamMessageFiltered(path, { id }, filter, mode);
         }",
    )
    .serve();
    let mut everybody = follow(&host, "/s");
    let mut room = follow(&host, "/s?room=a");
    let mut user = follow(&host, "/s?room=a&user=1");
    // Without a function the parameters of the query are the metadata.
    let mut plain = follow(&host, "/plain?room=a");
    let messages = [
        (json!({ "room": "a" }), [true, true, false], [true, true, true]),
        (json!({ "room": "a", "user": "1" }), [true, true, true], [true, true, true]),
        (json!({ "room": "b" }), [true, false, false], [true, false, false]),
        (json!({}), [true, false, false], [true, true, true]),
    ];
    let mut expected: [Vec<u64>; 3] = Default::default();
    let mut id = 0;
    for (filter, subset, overlap) in &messages {
        for (mode, receives) in [("subset", subset), ("overlap", overlap)] {
            id += 1;
            let message = json!({ "path": "/s", "filter": filter.to_string(), "mode": mode, "id": id });
            assert_eq!(host.request("POST", "/send").json(&message).send().status, 200);
            for (n, received) in receives.iter().enumerate() {
                if *received {
                    expected[n].push(id);
                }
            }
        }
    }
    for (stream, ids) in [&mut everybody, &mut room, &mut user].into_iter().zip(expected) {
        let received: Vec<u64> = ids.iter().map(|_| next(stream)["id"].as_u64().expect("an id")).collect();
        assert_eq!(received, ids);
    }
    for (filter, id) in [(json!({ "room": "b" }), 1), (json!({ "room": "a" }), 2)] {
        let message = json!({ "path": "/plain", "filter": filter.to_string(), "id": id });
        host.request("POST", "/send").json(&message).send();
    }
    assert_eq!(next(&mut plain)["id"], 2);
}

#[test]
fn a_filter_that_is_no_json_is_an_error() {
    let host = script(
        "registerWebStream('/s');
         const attempt = (run) => { try { return run(); } catch (error) { return `${error.name}: ${error.message}`; } };
         register('/json', () => attempt(() => sendStreamMessageFiltered('/s', {}, '{ room')));
         register('/mode', () => attempt(() => sendStreamMessageFiltered('/s', {}, '{}', 'most')));
         register('/path', () => attempt(() => sendStreamMessageToPath('/other', {})));",
    )
    .serve();
    let text = |path: &str| host.get(path).text().to_owned();
    assert!(text("/json").starts_with("SyntaxError: Error: Invalid filter JSON."), "{}", text("/json"));
    assert!(text("/mode").starts_with("TypeError: Error: Invalid filter mode."), "{}", text("/mode"));
    assert!(
        text("/path").starts_with("TypeError: Error: no stream is registered for '/other'"),
        "{}",
        text("/path")
    );
}

#[test]
fn connections_are_counted_until_their_sockets_close() {
    let host = script(
        "registerWebStream('/s');
         register('/count', () => sendStreamMessage({}).match(/to (\\d+)/)[1]);",
    )
    .serve();
    let streams: Vec<EventStream> = (0..3).map(|_| follow(&host, "/s")).collect();
    assert_eq!(host.get("/count").text(), "3");
    drop(streams);
    until("clients that left are counted", || host.get("/count").text() == "0");
}

#[test]
fn a_rate_limits_the_messages_of_a_stream() {
    let host = script(
        "registerWebStream('/s');
         register('/send', () => sendStreamMessage({ n: 1 }));
         register('/burst', () => {
           let sent = 0;
           try { for (;;) { sendStreamMessage({}); sent++; } } catch (error) { return `${error.name} ${sent}`; }
         });",
    )
    .file("package.json", r#"{ "liveline": { "aiwebengine": { "streamRate": 0.05 } } }"#)
    .serve();
    let burst = host.get("/burst").text().to_owned();
    assert!(burst == "QuotaExceededError 1", "{burst}");
    let answer = host.get("/send");
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert_eq!(super::failure(&answer)["code"], "TOO_MANY_REQUESTS");
    let after = answer.header("retry-after").and_then(|it| it.parse::<u32>().ok());
    assert!(after.is_some_and(|after| (1..=20).contains(&after)), "{after:?}");
}

#[test]
fn settings_that_do_not_exist_are_errors() {
    for (settings, error) in [
        (r#"{ "rate": 5 }"#, "there is no setting \"rate\" for aiwebengine"),
        (r#"{ "streamRate": "fast" }"#, "the setting \"streamRate\" for aiwebengine is a number"),
    ] {
        let manifest = format!(r#"{{ "liveline": {{ "aiwebengine": {settings} }} }}"#);
        let finished = script(seed!("quickstart.js")).file("package.json", manifest).run("check");
        assert_eq!(finished.code, Some(1));
        assert!(finished.output().contains(error), "{}", finished.output());
    }
}

#[test]
fn many_clients_follow_one_stream() {
    let host = script(
        "registerWebStream('/s');
         register('/send', (req) => sendStreamMessage({ n: Number(req.query.n) }));",
    )
    .arg("--max-connections-per-address")
    .arg("0")
    .serve();
    let mut streams: Vec<EventStream> = (0..1001).map(|_| follow(&host, "/s")).collect();
    for n in 0..3 {
        let sent = host.get(&format!("/send?n={n}"));
        assert_eq!(sent.text(), "Stream message sent to 1001 connections on 1 stream");
    }
    for stream in &mut streams {
        for n in 0..3 {
            assert_eq!(next(stream)["n"], n);
        }
    }
}

#[test]
fn a_limit_of_subscribers_answers_503() {
    let host = script(seed!("quickstart.js")).arg("--max-topic-subscribers").arg("1").serve();
    let _first = follow(&host, "/events");
    let second = host.get("/events");
    assert_eq!(second.status, 503);
    assert!(second.header("retry-after").is_some());
}

#[test]
fn a_slow_client_delays_nobody() {
    let host = script(
        "registerWebStream('/s');
         const text = 'x'.repeat(9000);
         register('/send', () => {
           for (let n = 0; n < 100; n++) sendStreamMessage({ n, text });
           return 'sent';
         });",
    )
    .serve();
    let mut slow = follow(&host, "/s");
    let mut other = follow(&host, "/s");
    for _ in 0..10 {
        assert_eq!(host.get("/send").text(), "sent");
        for n in 0..100 {
            assert_eq!(next(&mut other)["n"], n);
        }
    }
    // The slow one receives whole messages, or is informed of how many it has missed.
    slow.patience(Duration::from_secs(30));
    let (mut received, mut missed) = (0, 0);
    while received + missed < 1000 {
        let event = slow.next_event().expect("an event");
        let message: Value = serde_json::from_str(&event.data).expect("a whole message");
        if event.name == "gap" {
            missed += message["missed"].as_u64().expect("how many");
        } else {
            assert_eq!(message["text"].as_str().map(str::len), Some(9000));
            received += 1;
        }
    }
    assert_eq!(received + missed, 1000, "{received} received, {missed} missed");
}

#[test]
fn a_text_of_a_client_is_no_event() {
    let host = script(
        "registerWebStream('/s');
         register('/send', (req) => sendStreamMessage(req.body), 'POST');",
    )
    .serve();
    let mut events = follow(&host, "/s");
    host.request("POST", "/send").body("x\r\nevent: gap\r\n\r\nid: 1").send();
    host.request("POST", "/send").body("end").send();
    let first = events.next_event().expect("an event");
    assert_eq!(first.name, "message");
    assert_eq!(next_text(&mut events), "end");
}
