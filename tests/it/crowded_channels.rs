//! Channels with many members: how their coming and going is grouped into frames, and what a message to all costs.

use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use super::channels::{chat, enter};
use crate::support::{Frame, Host, Line, Site, serve};

/// Lets this process, and the hosts that it starts, have as many sockets as the system allows.
fn allow_many_sockets() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .expect("a limit within the limit");
}

/// Visitors that are live and wait; `/all/enter` lets all of them into the room in one turn, `/all/leave` takes them out
/// again but for those that stay, and `/all/say` sends a message to all members.
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

/// What a member received about others until a message came.
#[derive(Debug, Default)]
struct Heard {
    frames: usize,
    joins: u64,
    leaves: u64,
}

impl Heard {
    /// Reads until a message in the room comes.
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
    // Each received a notice about every member that entered after it, so the numbers differ.
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
    // The handler's listener is called for each member, although one frame announced several.
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
fn a_thousand_members_receive_one_message() {
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
    // The sender receives nothing: its next frame is another member's message.
    lines[0].send("room:message", json!("two"));
    assert_eq!(lines[sender].expect("room:message"), json!("two"));
}
