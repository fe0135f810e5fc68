//! Clients that follow a topic without JavaScript: event streams and WebSockets.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::serve;

use super::{all_leave, follow, next, publish, site};

const NEWS: &str = r#"export default (event, next) => next.stepname ? next() : topic("/news");"#;

#[test]
fn an_event_stream_receives_what_is_published_with_ids() {
    let host = site(NEWS).serve();
    let mut stream = follow(&host, "/", &[]);
    assert_eq!(stream.status, 200);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert!(stream.header("cache-control").is_some_and(|it| it.contains("no-cache")));
    assert_eq!(stream.header("x-accel-buffering"), Some("no"));
    let published = publish(&host, "/news", &json!({ "a": 1 }));
    assert_eq!((&published["subscribers"], &published["duplicate"]), (&json!(1), &json!(false)));
    let event = stream.next_event().expect("an event");
    assert_eq!((event.data.as_str(), json!(event.id)), ("{\"a\":1}", published["id"].clone()));
    let answer = host.request("POST", "/publish?to=/news&event=saved").json(&json!(2)).send();
    assert_eq!(answer.status, 200);
    assert_eq!(stream.next_event().expect("an event").name, "saved");
}

#[test]
fn all_workers_share_a_topic() {
    let host = site(NEWS).arg("--workers=3").serve();
    let mut streams: Vec<_> = (0..9).map(|_| follow(&host, "/", &[])).collect();
    for n in 0..6 {
        assert_eq!(publish(&host, "/news", &json!(n))["subscribers"], json!(9));
    }
    for stream in &mut streams {
        assert_eq!(
            (0..6).map(|_| next(stream)).collect::<Vec<_>>(),
            (0..6).map(|n| json!(n)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_client_that_connects_again_continues_behind_its_last_event() {
    let host = site(NEWS).serve();
    let mut stream = follow(&host, "/", &[]);
    publish(&host, "/news", &json!(1));
    let last = stream.next_event().expect("an event").id;
    drop(stream);
    publish(&host, "/news", &json!(2));
    publish(&host, "/news", &json!(3));
    let mut by_header = follow(&host, "/", &[("last-event-id", &last)]);
    let mut by_query = follow(&host, &format!("/?lastEventId={last}"), &[]);
    for stream in [&mut by_header, &mut by_query] {
        assert_eq!([next(stream), next(stream)], [json!(2), json!(3)]);
    }
    // The header wins, because a browser does not change the address.
    let newest = publish(&host, "/news", &json!(4))["id"].as_str().expect("an id").to_owned();
    let mut both = follow(&host, &format!("/?lastEventId={last}"), &[("last-event-id", &newest)]);
    publish(&host, "/news", &json!(5));
    assert_eq!(next(&mut both), json!(5));
}

#[test]
fn a_client_whose_messages_are_not_kept_is_informed() {
    let host = site(
        r#"topic("/news", { history: 2 });
        export default (event, next) => next.stepname ? next() : topic("/news");"#,
    )
    .serve();
    let first = publish(&host, "/news", &json!(1))["id"].as_str().expect("an id").to_owned();
    for n in 2..=5 {
        publish(&host, "/news", &json!(n));
    }
    for (last, missed) in
        [(first.as_str(), json!(2)), ("00000000abcd.0000000001", Value::Null), ("17", Value::Null)]
    {
        let mut stream = follow(&host, "/", &[("last-event-id", last)]);
        let gap = stream.next_event().expect("an event");
        assert_eq!(gap.name, "gap");
        assert_eq!(serde_json::from_str::<Value>(&gap.data).expect("JSON")["missed"], missed);
        assert_eq!([next(&mut stream), next(&mut stream)], [json!(4), json!(5)]);
    }
}

#[test]
fn a_reload_leaves_subscribers_and_messages() {
    let host = site(NEWS).dev();
    let mut stream = follow(&host, "/", &[]);
    publish(&host, "/news", &json!("old code"));
    assert_eq!(next(&mut stream), json!("old code"));
    let version = r#"export default () => "second version";"#;
    host.site.write("version/handler.js", version);
    host.site.write("handler.js", format!("import {{ topic }} from \"liveline:topics\";\n{NEWS}\n"));
    host.until("/version", |answer| answer.text().contains("second version"));
    publish(&host, "/news", &json!("new code"));
    assert_eq!(next(&mut stream), json!("new code"));
}

#[test]
fn a_new_client_may_begin_before() {
    let host = site(
        r#"const kinds = { all: { replay: "all" }, two: { replay: 2 }, none: {} };
        export default (event, next) =>
          next.stepname === "publish" ? next() : topic("/news").stream(kinds[event.url.searchParams.get("kind")]);"#,
    )
    .serve();
    for n in 1..=3 {
        publish(&host, "/news", &json!(n));
    }
    let streams = ["all", "two", "none"].map(|kind| follow(&host, &format!("/?kind={kind}"), &[]));
    publish(&host, "/news", &json!(4));
    let expected: [&[u64]; 3] = [&[1, 2, 3, 4], &[2, 3, 4], &[4]];
    for (mut stream, expected) in streams.into_iter().zip(expected) {
        for n in expected {
            assert_eq!(next(&mut stream), json!(n));
        }
    }
}

#[test]
fn a_retained_message_greets_new_clients_and_latest_topics_retain_all() {
    let host = site(
        r#"topic("/cursor", { latest: true });
        export default (event, next) => next.stepname ? next() : topic(event.url.searchParams.get("topic"));"#,
    )
    .serve();
    let answer = host.request("POST", "/publish?to=/news&retain=1").json(&json!("kept")).send();
    assert_eq!(answer.status, 200);
    publish(&host, "/news", &json!("not kept"));
    assert_eq!(next(&mut follow(&host, "/?topic=/news", &[])), json!("kept"));
    for n in 0..10 {
        publish(&host, "/cursor", &json!(n));
    }
    assert_eq!(next(&mut follow(&host, "/?topic=/cursor", &[])), json!(9));
}

#[test]
fn patterns_follow_several_topics_in_the_order_of_their_messages() {
    let host =
        site(r#"export default (event, next) => next.stepname ? next() : topics("users.*", "orders.**");"#)
            .serve();
    let mut stream = follow(&host, "/", &[]);
    for (to, n) in [("users.saved", 1), ("orders.new.paid", 2), ("users.list.state", 0), ("users.gone", 3)] {
        publish(&host, to, &json!(n));
    }
    let mut last = String::new();
    for (to, n) in [("users.saved", 1), ("orders.new.paid", 2), ("users.gone", 3)] {
        let event = stream.next_event().expect("an event");
        let data: Value = serde_json::from_str(&event.data).expect("JSON");
        assert_eq!(data, json!({ "topic": to, "data": n }));
        if n == 1 {
            last = event.id;
        }
    }
    let mut resumed = follow(&host, "/", &[("last-event-id", &last)]);
    assert_eq!(
        [next(&mut resumed)["data"].clone(), next(&mut resumed)["data"].clone()],
        [json!(2), json!(3)]
    );
}

#[test]
fn metadata_decides_who_receives_a_message() {
    let host = site(
        r#"export default (event, next) => {
          if (next.stepname === "publish") return next();
          return topic("/rooms").stream({ metadata: Object.fromEntries(event.url.searchParams) });
        };"#,
    )
    .serve();
    let mut streams = ["/", "/?room=a", "/?room=a&user=1"].map(|path| follow(&host, path, &[]));
    let to_all = |text: &str| publish(&host, "/rooms", &json!(text));
    let filters = [
        (r#"{"room":"a"}"#, "subset", [true, true, false]),
        (r#"{"room":"a"}"#, "overlap", [true, true, true]),
        (r#"{"room":"a","user":"1"}"#, "subset", [true, true, true]),
        (r#"{"room":"b"}"#, "subset", [true, false, false]),
        (r#"{"room":"b"}"#, "overlap", [true, false, false]),
        ("{}", "subset", [true, false, false]),
        ("{}", "overlap", [true, true, true]),
    ];
    for (filter, mode, expected) in filters {
        let path = format!(
            "/publish?to=/rooms&mode={mode}&filter={}",
            filter.replace('{', "%7B").replace('}', "%7D").replace('"', "%22")
        );
        let answer = host.request("POST", &path).json(&json!("filtered")).send();
        let count = expected.iter().filter(|receives| **receives).count();
        assert_eq!(answer.json()["subscribers"], json!(count), "{filter} {mode}");
        to_all("end");
        for (stream, receives) in streams.iter_mut().zip(expected) {
            if receives {
                assert_eq!(next(stream), json!("filtered"), "{filter} {mode}");
            }
            assert_eq!(next(stream), json!("end"), "{filter} {mode}");
        }
    }
}

fn frame(socket: &mut tungstenite::WebSocket<std::net::TcpStream>) -> Value {
    loop {
        match socket.read().expect("a frame") {
            Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_websocket_follows_a_topic_and_continues_where_it_was() {
    let host = site(NEWS).serve();
    let (mut socket, _) = host.dial("/").upgrade().expect("a socket");
    let published = publish(&host, "/news", &json!({ "a": 1 }));
    let id = published["id"].as_str().expect("an id");
    assert_eq!(frame(&mut socket), json!({ "topic": "/news", "id": id, "data": { "a": 1 } }));
    drop(socket);
    publish(&host, "/news", &json!(2));
    let (mut socket, _) = host.dial(&format!("/?lastEventId={id}")).upgrade().expect("a socket");
    assert_eq!(frame(&mut socket)["data"], json!(2));
    socket.close(None).expect("a close frame");
    while let Ok(message) = socket.read() {
        assert!(message.is_close(), "{message:?}");
    }
    // Its end is noticed without a message.
    let (mut other, _) = host.dial("/?lastEventId=17").upgrade().expect("a socket");
    assert_eq!(frame(&mut other)["gap"]["missed"], Value::Null);
}

#[cfg(unix)]
#[test]
fn a_stop_ends_streams_so_that_their_clients_connect_again() {
    let mut host = site(NEWS).serve();
    let mut stream = follow(&host, "/", &[]);
    let (mut socket, _) = host.dial("/").upgrade().expect("a socket");
    publish(&host, "/news", &json!("last"));
    host.signal("TERM");
    assert_eq!(next(&mut stream), json!("last"));
    assert_eq!(stream.next_event().map(|event| event.data), None);
    assert_eq!(frame(&mut socket)["data"], json!("last"));
    match socket.read().expect("a close frame") {
        Message::Close(Some(close)) => assert_eq!(u16::from(close.code), 1012),
        other => panic!("{other:?}"),
    }
    assert_eq!(host.ended(), Some(0));
}

#[test]
fn clients_that_leave_are_not_counted_any_more() {
    let host = site(NEWS).serve();
    let streams: Vec<_> = (0..20).map(|_| follow(&host, "/", &[])).collect();
    let sockets: Vec<_> = (0..20).map(|_| host.dial("/").upgrade().expect("a socket")).collect();
    assert_eq!(publish(&host, "/news", &json!(0))["subscribers"], json!(40));
    drop((streams, sockets));
    all_leave(&host, "/news");
}

#[test]
fn a_closed_topic_ends_its_clients_for_good() {
    let host = site(
        r#"export default (event, next) => {
          if (next.stepname === "publish") return next();
          if (event.url.searchParams.has("close")) return topic("/news").close();
          return topic("/news");
        };"#,
    )
    .serve();
    let mut stream = follow(&host, "/", &[]);
    publish(&host, "/news", &json!("last"));
    host.get("/?close");
    assert_eq!(next(&mut stream), json!("last"));
    let close = stream.next_event().expect("an event");
    assert_eq!((close.name.as_str(), close.id.as_str()), ("close", "liveline-end"));
    assert_eq!(stream.next_event().map(|event| event.data), None);
    // An EventSource connects again after every end, and is answered so that it stops.
    let again =
        host.request("GET", "/").header("accept", "text/event-stream").header("last-event-id", &close.id);
    assert_eq!(again.send().status, 204);
}

/// A long exchange keeps nothing of followers that have ended: one more costs the same as the first.
#[test]
fn one_exchange_may_follow_a_topic_very_often() {
    let host = serve(
        r#"import { topic } from "liveline:topics";
        export default async () => {
          let ended = 0;
          for (let i = 0; i < 20_000; i++) if ((await topic("t").messages().return()).done) ended += 1;
          return { ended };
        };"#,
    );

    assert_eq!(host.get("/").json(), json!({ "ended": 20_000 }));
}
