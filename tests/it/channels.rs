//! Channels: who is in, who hears what, and who has no say.

use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
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
fn chat(options: &str, more: &str) -> String {
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
fn enter(host: &Host, user: &str) -> Line {
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

// -- T7 -----------------------------------------------------------------------------------------------

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

    // A heard nothing of its own; neither does B's other tab.
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
    // Whoever has left can say nothing, and leaves once.
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
fn a_plain_client_is_no_member_but_its_handler_can_speak() {
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
fn resolve_data_with_a_target_speaks_to_each() {
    let host = serve(&chat(
        "presence: user, resolveData: (data, from, to, about) => ({ ...data, from: from.data, to: to?.data, ...about })",
        "",
    ));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");
    let mut c = enter(&host, "C");
    // Of coming and going all hear the same.
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
fn a_handler_speaks_to_all() {
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
    // A handler hears of its own client and of the channel in no order that was promised.
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

// -- Who may say what ---------------------------------------------------------------------------------

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
    // B may say nothing at all.
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
fn a_hostile_client_has_no_say() {
    let host = serve(&chat("announce: false", ""));
    let mut a = enter(&host, "A");
    let mut b = enter(&host, "B");

    // Types of the host, and of channels that nobody let it into.
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
fn who_has_not_entered_can_relay_nothing() {
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

    // Its handler heard it, nobody else.
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

/// Lets this process, and the hosts that it starts, have as many sockets as the system allows.
fn allow_many_sockets() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("a limit within the limit");
}

/// Visitors that are live and wait; `/all/enter` lets all of them into the room in one turn, `/all/leave` takes them out
/// again but for those that stay, and `/all/say` speaks to those who are in.
const GATE: &str = r#"
    const members = [];
    const seen = [];
    export async function GET(event, next) {
      const [all, what] = [next.stepname, event.url.pathname.split("/").at(-1)];
      if (all === "seen") return { seen };
      if (what === "enter") {
        for (const member of members) {
          Object.assign(member, member.client.enterChannel("room", { presence: member.user }));
          if (member.user !== "listener") continue;
          for (const type of ["joins", "leaves", "joins-leaves"]) {
            member.channel.addEventListener(type, (e) => seen.push([type, e.data.event ?? e.data]));
          }
        }
        return members.length;
      }
      if (what === "leave") return members.filter(({ user, leave }) => user !== "stays" && user !== "listener" && (leave(), true)).length;
      if (what === "say") return members.find(({ user }) => user === "stays").channel.postMessage("said") ?? null;
      members.push({ user: event.url.searchParams.get("user"), client: event.client });
      event.waitUntilNavigate();
      return "waiting";
    }"#;

/// What a member was told of others until something was said.
#[derive(Debug, Default)]
struct Heard {
    frames: usize,
    joins: u64,
    leaves: u64,
}

impl Heard {
    /// Reads until something is said in the room.
    #[track_caller]
    fn read(line: &mut Line) -> Heard {
        let mut heard = Heard::default();
        loop {
            let Frame { kind, id, message, .. } = line.next_message();
            let count = |key: &str| message[key].as_u64().unwrap_or_default();
            match (&*kind, id.split_once('-').map_or("", |(what, _)| what)) {
                ("room:message", "joins") => heard.joins += 1,
                ("room:message", "leaves") => heard.leaves += 1,
                ("room:message", _) => {
                    assert_eq!(message, "said");
                    return heard;
                }
                ("room:joins-leaves", _) => {
                    if let Some(listed) = message["events"].as_array() {
                        assert_eq!(listed.len() as u64, count("joins") + count("leaves"));
                    }
                    heard.joins += count("joins");
                    heard.leaves += count("leaves");
                }
                (kind, _) => panic!("{kind} {message}"),
            }
            heard.frames += 1;
        }
    }
}

/// Lines of visitors of these names that wait at the gate.
fn waiting(host: &Host, users: &[String]) -> Vec<Line> {
    let enter = |user: &String| enter(host, user);
    thread::scope(|scope| {
        let crowds: Vec<_> = users
            .chunks(users.len().div_ceil(4))
            .map(|users| scope.spawn(move || -> Vec<Line> { users.iter().map(enter).collect() }))
            .collect();
        crowds.into_iter().flat_map(|crowd| crowd.join().expect("a crowd")).collect()
    })
}

#[test]
fn hundreds_of_members_come_and_go_in_few_frames() {
    const MEMBERS: usize = 300;
    const STAY: usize = 10;
    allow_many_sockets();
    let host = Site::new().file("handler.js", GATE).arg("--workers=1").serve();
    let name = |n| if n < STAY { "stays".to_owned() } else { "goes".to_owned() };
    let mut lines = waiting(&host, &(0..MEMBERS).map(name).collect::<Vec<_>>());

    assert_eq!(host.get("/all/enter").json(), MEMBERS);
    host.get("/all/say");
    let heard: Vec<Heard> = lines.iter_mut().map(Heard::read).collect();
    // Each heard of everybody who came after it, so that they heard of different numbers.
    let mut joins: Vec<u64> = heard.iter().map(|heard| heard.joins).collect();
    joins.sort();
    assert_eq!(joins, (0..MEMBERS as u64).collect::<Vec<_>>());
    let frames: usize = heard.iter().map(|heard| heard.frames).sum();
    // One by one it would be 44,850.
    assert!(frames < 44_850 / 2, "{frames} frames");

    assert_eq!(host.get("/all/leave").json(), MEMBERS - STAY);
    host.get("/all/say");
    let (stayed, gone): (Vec<_>, Vec<_>) = lines.into_iter().enumerate().partition(|(n, _)| *n < STAY);
    for (_, mut line) in stayed {
        let heard = Heard::read(&mut line);
        assert_eq!((heard.joins, heard.leaves), (0, (MEMBERS - STAY) as u64));
        assert!(heard.frames < (MEMBERS - STAY) / 2, "{heard:?}");
    }
    drop(gone);
}

#[test]
fn a_few_that_come_together_are_listed() {
    let host = Site::new().file("handler.js", GATE).arg("--workers=1").serve();
    let users: Vec<String> = ["listener", "stays"].iter().map(|it| (*it).to_owned()).collect();
    let rest = (0..18).map(|n| n.to_string());
    // In this order, so that the first two see all of the others.
    let mut lines: Vec<Line> =
        users.into_iter().chain(rest).flat_map(|user| waiting(&host, &[user])).collect();

    host.get("/all/enter");
    host.get("/all/say");

    let mut names = Vec::new();
    loop {
        let Frame { kind, id, message, .. } = lines[0].next_message();
        match &*kind {
            "room:message" if message == "said" => break,
            "room:message" => names.push(id),
            _ => {
                let listed = message["events"].as_array().expect("few came");
                assert!(listed.iter().all(|listed| listed["event"] == "joins"), "{message}");
                names.extend(listed.iter().map(|listed| listed["eventID"].as_str().unwrap().to_owned()));
            }
        }
    }
    let wanted: Vec<_> = (1..20).map(|n| format!("joins-{n}")).collect();
    assert_eq!(names, wanted);
    // The handler that listens heard of each as well, although they were told together.
    let seen = host.until("/seen", |seen| seen.json()["seen"].as_array().expect("events").len() >= 19).json();
    let seen = seen["seen"].as_array().expect("events");
    assert!(seen.iter().all(|seen| *seen == json!(["joins", "joins"])), "{seen:?}");
}

#[test]
fn members_that_do_not_read_have_one_budget() {
    let handler = chat(
        "presence: user",
        "event.client.addEventListener('say', () => channel.postMessage('x'.repeat(65536), { type: 'news' }));",
    );
    let site = Site::new().file("handler.js", handler);
    let host = site.arg("--max-channel-queue=1MiB").arg("--max-queue=64MiB").serve();
    let mut reader = enter(&host, "reader");
    let deaf: Vec<Line> = (0..3).map(|_| host.open_socket("/?user=deaf")).collect();

    let mut gone = 0;
    for said in 0..1000 {
        reader.send("say", Value::Null);
        loop {
            let Frame { kind, id, message, .. } = reader.next_frame();
            match &*kind {
                "room:news" => break,
                "room:joins-leaves" => gone += message["leaves"].as_u64().expect("a number"),
                _ => gone += u64::from(id.starts_with("leaves-")),
            }
        }
        if gone == deaf.len() as u64 {
            break;
        }
        assert!(said < 999, "64 MiB wait for each of them");
    }
    assert_eq!(host.get("/seen").status, 200);
}

#[test]
fn a_thousand_members_hear_one_message() {
    const MEMBERS: usize = 1000;
    allow_many_sockets();
    let host =
        serve(&chat("announce: false", "if (user === 'last') event.client.postMessage(channel.size);"));

    let mut lines: Vec<Line> = thread::scope(|scope| {
        let crowd = |from: usize| (from..MEMBERS).step_by(4).map(|n| enter(&host, &n.to_string())).collect();
        let crowds: Vec<_> = (0..4).map(|from| scope.spawn(move || -> Vec<Line> { crowd(from) })).collect();
        crowds.into_iter().flat_map(|crowd| crowd.join().expect("a crowd")).collect()
    });
    let sender = lines.len() - 1;
    lines[sender].send("room:message", json!("one"));

    for line in &mut lines[..sender] {
        assert_eq!(line.expect("room:message"), json!("one"));
    }
    // And the sender heard nothing: the next thing is another's message.
    lines[0].send("room:message", json!("two"));
    assert_eq!(lines[sender].expect("room:message"), json!("two"));
}
