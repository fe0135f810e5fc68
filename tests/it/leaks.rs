//! What a process holds after its conversations have ended: no file, no isolate. It is read from /proc.

use std::thread;

use serde_json::json;

use crate::support::{Host, Site};

#[test]
fn files_that_are_not_read_are_closed() {
    let host = Site::new()
        .file(
            "app/a/handler.js",
            r#"
            export default async (event, next) => {
              const file = await next("/file.txt");
              return { status: file.status };
            };"#,
        )
        .file("public/file.txt", "static")
        .serve();

    for _ in 0..300 {
        assert_eq!(host.get("/a").json(), json!({ "status": 200 }));
    }

    let open = open_files_of_the_child();
    assert!(open < 100, "{open} open files");
}

/// How many files are open in the one process that this test has started.
fn open_files_of_the_child() -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", child())).expect("the open files of a process").count()
}

/// How many isolates it has, by the names of their threads.
fn isolates_of_the_child() -> usize {
    let threads = std::fs::read_dir(format!("/proc/{}/task", child())).expect("the threads of a process");
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("liveline-isola")).count()
}

fn child() -> u32 {
    let children =
        std::fs::read_to_string("/proc/thread-self/children").expect("the children of this thread");
    children.trim().parse().unwrap_or_else(|_| panic!("not one child: {children:?}"))
}

/// Conversations of every kind that end in every way. The generation that held them ends only when no exchange and no
/// connection of it is left, and with it go its threads.
#[test]
fn nothing_is_left_of_a_thousand_conversations() {
    const EACH: usize = 100;
    let site = Site::new().file("app/handler.js", CONVERSATIONS).file("app/version/handler.js", VERSION);
    // Some clients never come to their lines.
    let host = site.arg("--join-timeout=3s").dev();
    host.until("/version", |answer| answer.text() == "1");
    let files = open_files_of_the_child();

    let kinds = ["returns", "stays", "throws", "room", "rows", "session", "transaction", "asks"];
    thread::scope(|scope| {
        for kind in kinds {
            let host = &host;
            scope.spawn(move || (0..EACH).for_each(|n| converse(host, kind, n)));
        }
        let host = &host;
        scope.spawn(move || {
            for _ in 0..EACH {
                // A stream that is not read, and one whose client leaves at once.
                let accept = ("accept".to_owned(), "application/x-ndjson".to_owned());
                drop(host.request("GET", "/stays").header(&accept.0, &accept.1).stream());
                drop(host.begin("GET", "/endless"));
            }
        });
    });

    host.until("/room-size", |answer| answer.text() == "0");
    host.site.write("app/version/handler.js", VERSION.replace('1', "2"));
    host.until("/version", |answer| answer.text() == "2");
    // The one that serves, and the one that waits for the next reload.
    host.until("/version", |_| isolates_of_the_child() == 2);
    host.until("/version", |_| open_files_of_the_child() <= files + 8);
}

const VERSION: &str = "export default () => '1';";

const CONVERSATIONS: &str = r#"
    import { client as database } from "liveline:sql";
    await database.exec("CREATE TABLE IF NOT EXISTS t (n)");
    export default async function (event, next) {
      const { client } = event;
      switch (next.stepname) {
        case "version": return await next();
        case "returns": event.respondWith(1, { done: false }); await null; return 2;
        case "stays": event.waitUntilNavigate(); return { stays: true };
        case "throws":
          event.respondWith(1, { done: false });
          await new Promise((resolve) => client.addEventListener("open", resolve));
          throw new Error("on purpose");
        case "room": client.enterChannel("room"); return "in";
        case "room-size": {
          const { channel, leave } = client.enterChannel("room");
          const { size } = channel;
          leave();
          return String(size);
        }
        case "rows": return await database.query("SELECT * FROM t", { live: true });
        case "session":
          await event.session.set("n", 1);
          event.session.subscribe("n", () => {});
          event.waitUntilNavigate();
          return "kept";
        case "transaction":
          event.respondWith(1, { done: false });
          return await database.transaction(async (tx) => {
            await tx.query("INSERT INTO t VALUES (1)");
            throw new Error("on purpose");
          });
        case "asks": return await event.user.confirm("Sure?");
        case "endless": return new Response(new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(1000)),
        }));
      }
    }"#;

/// Begins a conversation, and leaves it in one of several ways.
fn converse(host: &Host, kind: &str, n: usize) {
    let answer = host.get(&format!("/{kind}"));
    if !answer.is_live() {
        return;
    }
    match n % 4 {
        0 => host.join(&answer).close(),
        1 => drop(host.join(&answer)),
        2 => drop(host.dial(&answer.line_path()).connect()),
        // The client closes the line before it has joined it.
        _ => assert!(host.request("DELETE", &answer.line_path()).send().status >= 400),
    }
}
