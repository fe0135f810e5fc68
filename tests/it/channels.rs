//! Channels: members, messages between them, and what a client may send.

use serde_json::{Value, json};

use crate::support::{Answer, Frame, Host, Line, Site, serve, session_cookie};

/// The seed's chat: the room is in the query, the name of the visitor too.
const CHAT: &str = r#"
    export async function GET(event, next) {
      if (next.stepname) return await next();
      const user = event.url.searchParams.get("user");
      const { channel, leave } = event.client.enterChannel("room", {
        resolveData: (message) => ({ ...message, user }),
      });
      event.client.addEventListener("leave", leave);
      event.waitUntilNavigate();
    }"#;

/// Like [`CHAT`], but with options of the test's own.
pub(super) fn chat(options: &str, more: &str) -> String {
    format!(
        r#"
        const seen = [];
        export async function GET(event, next) {{
          if (next.stepname === "seen") return {{ seen }};
          const user = event.url.searchParams.get("user");
          const {{ channel, leave }} = event.client.enterChannel("room", {{ {options} }});
          {more}
          event.waitUntilNavigate();
        }}"#
    )
}

/// A visitor without a session.
#[track_caller]
pub(super) fn enter(host: &Host, user: &str) -> Line {
    host.open(&format!("/?user={user}")).1
}

/// What sessions are signed with where visitors have one.
const SESSION_KEY: &str = "the key of these tests";

fn serve_sessions(handler: &str) -> Host {
    Site::new().file("handler.js", handler).arg("--session-key").arg(SESSION_KEY).serve()
}

/// A page of the visitor with this session.
#[track_caller]
fn tab(host: &Host, user: &str) -> Line {
    let cookie = session_cookie(SESSION_KEY, &format!("session-of-{user}"));
    let answer = host.request("GET", &format!("/?user={user}")).header("cookie", &cookie).send();
    let mut line = host.dial(&answer.line_path()).header("cookie", &cookie).connect().expect("the line");
    line.handshake();
    line
}

/// Makes sure that nothing came before what a fresh visitor's arrival brings.
#[track_caller]
fn heard_nothing(host: &Host, line: &mut Line) {
    let _newcomer = enter(host, "newcomer");
    let frame = line.next_message();
    assert_eq!((&*frame.kind, &frame.message["event"]), ("room:message", &json!("joins")), "{frame:?}");
    assert_eq!(frame.message["user"], "newcomer", "{frame:?}");
}

fn joins(user: &str) -> Value {
    json!({ "event": "joins", "user": user })
}

fn leaves(user: &str) -> Value {
    json!({ "event": "leaves", "user": user })
}

// -- The example -------------------------------------------------------------------------------------

#[test]
fn t7_a_chat() {
    let host = serve_sessions(CHAT);

    let mut a = tab(&host, "A");
    let mut b1 = tab(&host, "B");
    assert_eq!(a.expect("room:message"), joins("B"));
    // A second tab is no second member.
    let mut b2 = tab(&host, "B");

    a.send("room:message", json!({ "message": "hi" }));
    for b in [&mut b1, &mut b2] {
        let frame = b.next_message();
        assert_eq!(frame.kind, "room:message");
        assert_eq!(frame.message, json!({ "message": "hi", "user": "A" }));
        // The event keeps its name, and brings neither deltas nor reply ports.
        assert_eq!((&*frame.id, frame.live, frame.ports), ("room:message-1", false, 0));
    }

    // A does not receive its own message; neither does B's other tab.
    b1.send("room:message", json!({ "message": "hello" }));
    assert_eq!(a.expect("room:message"), json!({ "message": "hello", "user": "B" }));
    b1.close();
    b2.send("room:typing", json!({}));
    assert_eq!(a.expect("room:typing"), json!({ "user": "B" }));
    b2.close();
    assert_eq!(a.expect("room:message"), leaves("B"));
    heard_nothing(&host, &mut a);
}

#[test]
fn the_example_of_the_chat_is_live_and_names_its_users() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/chat");
    let host = Site::of(examples).serve();

    let (answer, mut a) = host.open("/?name=Ada");
    let (_, mut b) = host.open("/?name=Bob");
    b.send("test-channel:message", json!({ "message": "Hello" }));

    assert_eq!((answer.status, answer.text()), (200, r#"{"user":"Ada"}"#));
    assert_eq!(a.expect("test-channel:message"), json!({ "event": "joins", "user": "Bob" }));
    assert_eq!(a.expect("test-channel:message"), json!({ "message": "Hello", "user": "Bob" }));
}

// -- Membership ---------------------------------------------------------------------------------------

#[test]
fn visitors_without_a_session_are_members_by_line() {
    let host = serve(CHAT);
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");
    assert_eq!(a.expect("room:message"), joins("B"));

    b.send("leave", Value::Null);
    assert_eq!(a.expect("room:message"), leaves("B"));
    // A client that has left cannot send, and leaves once.
    b.send("room:message", json!({ "message": "still here?" }));
    b.send("leave", Value::Null);
    b.close();
    heard_nothing(&host, &mut a);
}

#[test]
fn a_member_is_in_before_its_client_has_joined() {
    let host = serve(CHAT);
    let mut a = enter(&host, "A");

    let answer = host.get("/?user=B");
    assert_eq!(a.expect("room:message"), joins("B"));
    a.send("room:message", json!({ "message": "early" }));

    let mut b = host.join(&answer);
    assert_eq!(b.expect("room:message"), json!({ "message": "early", "user": "A" }));
}

#[test]
fn entering_alone_is_a_live_start() {
    let host = serve(
        r#"
        export default async (event) => {
          const go = new Promise((r) => event.client.addEventListener("go", r));
          event.client.enterChannel("room");
          await go;
          return { late: true };
        }"#,
    );

    let answer = host.get("/");
    assert_eq!((answer.status, answer.text()), (202, ""));
    let mut line = host.join(&answer);
    line.send("go", Value::Null);

    assert_eq!(line.expect_body(), json!({ "late": true }));
    line.done();
}

#[test]
fn entering_does_not_hold() {
    let host = serve(r#"export default (event) => { event.client.enterChannel("room"); return "answer"; }"#);

    let (answer, mut line) = host.open("/");

    assert_eq!((answer.status, answer.text()), (200, "answer"));
    line.done();
}

#[test]
fn a_second_entry_is_the_first() {
    let host = serve(
        r#"
        export default (event) => {
          const first = event.client.enterChannel("room");
          const second = event.client.enterChannel("room");
          second.leave();
          second.leave();
          return [first === second, event.client.enterChannel("room") === first];
        }"#,
    );

    assert_eq!(host.get("/").json(), json!([true, false]));
}

#[test]
fn what_names_no_channel_is_an_error() {
    let host = serve(
        r#"
        const error = (act) => { try { act(); return "none"; } catch (e) { return e.name; } };
        export default (event) => {
          const names = [undefined, 7, "", "room:", "response.x", "x".repeat(257), "x".repeat(256), "a:7"];
          const errors = names.map((name) => error(() => event.client.enterChannel(name)));
          const { channel } = event.client.enterChannel("room");
          errors.push(error(() => channel.postMessage(1, { type: "a:b" })));
          errors.push(error(() => event.client.enterChannel("x", { allow: "message" })));
          errors.push(error(() => event.client.enterChannel("x", { resolveData: {} })));
          for (let i = 3; i < 64; i++) event.client.enterChannel(`room-${i}`);
          errors.push(error(() => event.client.enterChannel("one more")));
          return errors;
        }"#,
    );

    let t = "TypeError";
    assert_eq!(host.get("/").json(), json!([t, t, t, t, t, t, "none", "none", t, t, t, "InvalidStateError"]));
}

#[test]
fn a_plain_client_is_no_member_but_its_handler_can_send() {
    let host =
        serve(&chat("", "if (event.request.method === 'GET' && user === 'curl') channel.postMessage(user);"));
    let mut a = enter(&host, "A");

    let answer: Answer = host.request("GET", "/?user=curl").plain().send();

    assert_eq!((answer.status, answer.is_live()), (200, false));
    assert_eq!(a.expect("room:message"), json!("curl"));
}

#[test]
fn members_are_listed() {
    let host = serve_sessions(&chat(
        "presence: { name: user }",
        "event.client.addEventListener('who', () => event.client.postMessage([channel.size, channel.members()]));",
    ));
    let mut a = tab(&host, "A");
    let _a2 = tab(&host, "A");
    let b = enter(&host, "B");
    assert_eq!(a.expect("room:message"), json!({ "event": "joins" }));

    a.send("who", Value::Null);
    let listed = a.expect("message");
    assert_eq!(listed[0], 2);
    let members: Vec<_> = listed[1].as_array().expect("members").iter().collect();
    assert_eq!(members[0]["data"], json!({ "name": "A" }));
    assert_eq!(members[1]["data"], json!({ "name": "B" }));
    assert_eq!((&members[0]["isSelf"], &members[1]["isSelf"]), (&json!(true), &json!(false)));
    assert_ne!(members[0]["id"], members[1]["id"]);

    b.close();
    assert_eq!(a.expect("room:message"), json!({ "event": "leaves" }));
    a.send("who", Value::Null);
    assert_eq!(a.expect("message")[0], 1);
}

// -- Messages -----------------------------------------------------------------------------------------

#[test]
fn without_resolve_data_a_message_passes_as_it_is() {
    let host = serve(&chat("", ""));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");
    assert_eq!(a.expect("room:message"), json!({ "event": "joins" }));

    for message in [json!("text"), json!(null), json!([1, { "deep": [] }])] {
        a.send("room:typing", message.clone());
        assert_eq!(b.expect("room:typing"), message);
    }
    // One level deep, and no further.
    a.send("room:a:b", json!("too deep"));
    a.send("room:message", json!("after"));
    assert_eq!(b.expect("room:message"), json!("after"));
}

#[test]
fn messages_do_not_wait_for_javascript() {
    let spin = "event.client.addEventListener('spin', () => { console.error('spinning'); for (;;); });";
    let site = Site::new().file("handler.js", chat("announce: false, allow: ['message']", spin));
    let host = site.arg("--cpu-timeout=3s").arg("--workers=1").serve();
    // Over sockets: a message by POST needs its isolate as any request does.
    let mut a = tab(&host, "A");
    let mut b = tab(&host, "B");
    let mut c = tab(&host, "C");

    c.send("spin", Value::Null);
    host.log.next("spinning");
    a.send("room:message", json!("meanwhile"));

    assert_eq!(b.expect("room:message"), json!("meanwhile"));
    assert!(!host.log.text().contains("without yielding"), "the loop had ended already");
}

#[test]
fn a_channel_may_end_in_a_number() {
    let host = serve(
        r#"
        export default (event) => {
          event.client.enterChannel("room:7", { announce: false });
          event.waitUntilNavigate();
        }"#,
    );
    let (_, mut a) = host.open("/");
    let (_, mut b) = host.open("/");

    a.send("room:7:message", json!("hi"));

    assert_eq!(b.expect("room:7:message"), json!("hi"));
}

#[test]
fn resolve_data_with_a_target_runs_for_each_member() {
    let host = serve(&chat(
        "presence: user, resolveData: (data, from, to, about) => ({ ...data, from: from.data, to: to?.data, ...about })",
        "",
    ));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");
    let mut c = enter(&host, "C");
    // All receive the same messages about members that enter and leave.
    let joined = |user: &str| json!({ "event": "joins", "from": user, "id": "room", "type": "message" });
    assert_eq!(a.expect("room:message"), joined("B"));
    assert_eq!(a.expect("room:message"), joined("C"));
    assert_eq!(b.expect("room:message"), joined("C"));

    a.send("room:typing", json!({ "n": 1 }));

    let heard = |to: &str| json!({ "n": 1, "from": "A", "to": to, "id": "room", "type": "typing" });
    assert_eq!(b.expect("room:typing"), heard("B"));
    assert_eq!(c.expect("room:typing"), heard("C"));
}

#[test]
fn a_handler_sends_to_all() {
    let host = serve(&chat(
        "announce: false",
        "event.client.addEventListener('say', (e) => channel.postMessage(e.data, { type: 'news' }));
         channel.postMessage(`${user} is here`);",
    ));
    let mut a = enter(&host, "A");
    assert_eq!(a.expect("room:message"), json!("A is here"));
    let mut b = enter(&host, "B");
    assert_eq!(a.expect("room:message"), json!("B is here"));
    assert_eq!(b.expect("room:message"), json!("B is here"));

    b.send("say", json!({ "n": 1 }));

    assert_eq!(a.expect("room:news"), json!({ "n": 1 }));
    assert_eq!(b.expect("room:news"), json!({ "n": 1 }));
}

#[test]
fn handlers_listen_to_their_client_and_to_the_channel() {
    let host = serve(&chat(
        "announce: user !== 'A'",
        "if (user === 'A') {
           for (const type of ['message', 'joins', 'leaves']) {
             channel.addEventListener(type, (e) => seen.push(`channel ${type} ${e.data.event ?? e.data}`));
           }
         }
         event.client.addEventListener('room:message', (e) => seen.push(`${user} ${e.data}`));",
    ));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");
    assert_eq!(a.expect("room:message")["event"], "joins");
    b.send("room:message", json!("one"));
    assert_eq!(a.expect("room:message"), json!("one"));
    a.send("room:message", json!("two"));
    assert_eq!(b.expect("room:message"), json!("two"));
    b.close();
    assert_eq!(a.expect("room:message")["event"], "leaves");

    let seen = host.until("/seen", |seen| seen.text().contains("channel leaves")).json();
    let mut seen: Vec<_> =
        seen["seen"].as_array().expect("events").iter().map(|it| it.as_str().unwrap()).collect();
    // Messages of the handler's own client and of the channel have no defined order.
    seen.sort();
    assert_eq!(
        seen,
        [
            "A two",
            "B one",
            "channel joins joins",
            "channel leaves leaves",
            "channel message one",
            "channel message two"
        ]
    );
}

// -- What a client may send ---------------------------------------------------------------------------------

#[test]
fn the_handler_authorizes_messages_in_their_order() {
    let host = serve(&chat(
        "announce: false, presence: user, authorize: async ({ type, data }, member) => {
           // The first ones take longest to decide.
           for (let i = data.n; i < 5; i++) await null;
           if (data.n === 3) throw new Error('cannot decide');
           return type === 'message' && member.data === 'A' && data.n !== 2;
         }",
        "",
    ));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");

    for n in 0..6 {
        a.send("room:typing", json!({ "n": 9 }));
        a.send("room:message", json!({ "n": n }));
    }
    for n in [0, 1, 4, 5] {
        assert_eq!(b.expect("room:message"), json!({ "n": n }));
    }
    host.log.next("cannot decide");
    // B may send nothing at all.
    b.send("room:message", json!({ "n": 0 }));
    b.send("room:message", json!({ "n": 1 }));
    let mut c = enter(&host, "A");
    c.send("room:message", json!({ "n": 7 }));
    assert_eq!(a.expect("room:message"), json!({ "n": 7 }));
}

#[test]
fn the_handler_lists_the_types_that_pass() {
    let host = serve(&chat("announce: false, allow: ['message']", ""));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");

    a.send("room:typing", json!(1));
    a.send("room:message", json!(2));

    assert_eq!(b.expect("room:message"), json!(2));
}

#[test]
fn a_client_cannot_send_types_of_the_host_or_of_other_channels() {
    let host = serve(&chat("announce: false", ""));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");

    // Types of the host, and of channels that the client has not entered.
    for kind in [
        "response.done",
        "x.mutate",
        "room:x.mutate",
        "room:response.done",
        "room:response.replace",
        "room:close",
        "room:joins",
        "room:leaves",
        "room:",
        ":room",
        ":",
        "other:message",
        "room:message:message",
    ] {
        a.send(kind, json!({ "event": "leaves" }));
    }
    a.send_text(r#"{"message":{"__proto__":{"p":1}},".wq":{"type":"room:message","eventID":"e","live":true,"numPorts":9}}"#);

    let frame: Frame = b.next_message();
    assert_eq!((&*frame.kind, &*frame.id, frame.live, frame.ports), ("room:message", "e", false, 0));
}

#[test]
fn a_client_that_has_not_entered_can_relay_nothing() {
    let host = serve(
        r#"
        export default (event) => {
          if (event.url.searchParams.get("user") === "A") event.client.enterChannel("room");
          event.client.addEventListener("room:message", (e) => event.client.postMessage(e.data));
          event.waitUntilNavigate();
          return "live";
        }"#,
    );
    let mut a = enter(&host, "A");
    let mut stranger = enter(&host, "stranger");

    stranger.send("room:message", json!("let me in"));

    // Only its own handler receives it.
    assert_eq!(stranger.expect("message"), json!("let me in"));
    a.send("room:message", json!("mine"));
    assert_eq!(a.expect("message"), json!("mine"));
}

// -- Across lines, workers and generations ------------------------------------------------------------

#[test]
fn a_reload_keeps_the_channel() {
    let host = Site::new().file("handler.js", chat("resolveData: (m) => ({ ...m, code: 'old' })", "")).dev();
    let mut a = enter(&host, "A");

    host.site.write("handler.js", chat("resolveData: (m) => ({ ...m, code: 'new' })", ""));
    host.log.next("reloaded");
    let mut b = enter(&host, "B");

    assert_eq!(a.expect("room:message"), json!({ "event": "joins", "code": "new" }));
    a.send("room:message", json!({ "n": 1 }));
    assert_eq!(b.expect("room:message"), json!({ "n": 1, "code": "old" }));
    b.send("room:message", json!({ "n": 2 }));
    assert_eq!(a.expect("room:message"), json!({ "n": 2, "code": "new" }));
}

#[test]
fn workers_share_the_channel() {
    let isolate = "event.client.postMessage(globalThis.me ??= crypto.randomUUID());";
    let site = Site::new().file("handler.js", chat("announce: false", isolate));
    let host = site.arg("--workers=2").serve();
    let mut a = enter(&host, "A");
    let isolate_of_a = a.expect("message");
    assert_eq!(a.expect_body(), Value::Null);

    // Each connection that stays open keeps a worker busy, so the other one gets the next.
    let mut busy = Vec::new();
    let mut b = loop {
        let mut line = enter(&host, "B");
        if line.expect("message") != isolate_of_a {
            break line;
        }
        busy.push(host.request("GET", "/seen").stream());
    };
    b.send("room:message", json!("from one worker to the other"));

    assert_eq!(a.expect("room:message"), json!("from one worker to the other"));
}
