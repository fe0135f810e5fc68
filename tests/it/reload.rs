//! `liveline dev`: what is saved is what answers.

use std::io::{BufRead as _, BufReader, Write};
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use crate::support::{Answer, Host, Log, Site};

/// A handler that returns a text.
fn says(text: &str) -> String {
    format!("export default () => {text:?};\n")
}

/// Waits for reloads until the answer is as wished. An editor may save in several steps, so there may
/// be more reloads than saves; the last of them counts.
#[track_caller]
fn reloaded(host: &Host, path: &str, wish: impl Fn(&Answer) -> bool) {
    loop {
        host.log.next("reloaded");
        if wish(&host.get(path)) {
            return;
        }
    }
}

#[test]
fn a_saved_handler_answers() {
    let host = Site::new().file("handler.js", says("old")).dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("handler.js", says("new"));

    let line = host.log.next("reloaded");
    assert!(line.starts_with("reloaded in ") && line.contains(" ms (1 handler"), "{line}");
    host.until("/", |answer| answer.text() == "new");
}

#[test]
fn broken_code_at_the_start_is_waited_for() {
    let mut host = Site::new().file("handler.js", "export default () => {").begin_dev();
    host.log.next("handler.js:1");
    host.log.next("waiting for a change");
    host.ready();
    assert_eq!(host.get("/").status, 500);

    host.site.write("handler.js", says("mended"));

    host.until("/", |answer| answer.text() == "mended");
}

#[test]
fn a_saved_import_answers() {
    let host = Site::new()
        .file("lib/text.js", r#"export const text = "old";"#)
        .file("handler.js", r#"import { text } from "./lib/text.js"; export default () => text;"#)
        .dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("lib/text.js", r#"export const text = "new";"#);

    reloaded(&host, "/", |answer| answer.text() == "new");
}

#[test]
fn a_saved_json_import_answers() {
    let host = Site::new()
        .file("data.json", "1")
        .file(
            "handler.js",
            r#"import data from "./data.json" with { type: "json" }; export default () => data;"#,
        )
        .dev();
    assert_eq!(host.get("/").text(), "1");

    host.site.write("data.json", "2");

    reloaded(&host, "/", |answer| answer.text() == "2");
}

#[test]
fn files_saved_after_each_other_all_answer() {
    let host = Site::new()
        .file("lib/text.js", "export const text = 'lib 0';")
        .file("a/handler.js", "import { text } from '../lib/text.js'; export default () => `a 0 ${text}`;")
        .file("b/handler.js", "import { text } from '../lib/text.js'; export default () => `b 0 ${text}`;")
        .dev();
    assert_eq!(host.get("/a").text(), "a 0 lib 0");
    let handler = |name: &str, round: u32| {
        format!("import {{ text }} from '../lib/text.js'; export default () => `{name} {round} ${{text}}`;")
    };
    for round in 1..4 {
        // All of a length, so that only what they contain differs.
        host.site.write("a/handler.js", handler("a", round));
        host.until("/a", |answer| answer.text() == format!("a {round} lib {}", round - 1));
        host.site.write("lib/text.js", format!("export const text = 'lib {round}';"));
        host.until("/b", |answer| answer.text() == format!("b {} lib {round}", round - 1));
        host.site.write("b/handler.js", handler("b", round));
        host.until("/b", |answer| answer.text() == format!("b {round} lib {round}"));
        assert_eq!(host.get("/a").text(), format!("a {round} lib {round}"));
    }
}

#[test]
fn the_last_of_many_quick_saves_answers() {
    let host = Site::new().file("a/handler.js", says("0")).file("other/handler.js", says("other")).dev();
    for round in 1..=20 {
        for step in 0..5 {
            host.site.write("a/handler.js", says(&format!("{round} {step}")));
        }
        host.until("/a", |answer| answer.text() == format!("{round} 4"));
    }
    assert_eq!(host.get("/other").text(), "other");
}

#[test]
fn a_file_that_is_new_is_what_an_import_of_unchanged_code_means() {
    let host = Site::new()
        .file("lib/text.js", "export const text = 'js';")
        .file("a/handler.js", "import { text } from '../lib/text'; export default () => text;")
        .file("b/handler.js", says("old"))
        .dev();
    assert_eq!(host.get("/a").text(), "js");
    host.site.write("b/handler.js", says("new"));
    host.until("/b", |answer| answer.text() == "new");

    host.site.write("lib/text.ts", "export const text: string = 'ts';");

    host.until("/a", |answer| answer.text() == "ts");
}

#[test]
fn settings_hold_for_unchanged_code_after_another_file_was_saved() {
    let paths =
        |file: &str| format!(r##"{{ "compilerOptions": {{ "paths": {{ "#text": ["./lib/{file}"] }} }} }}"##);
    let host = Site::new()
        .file("package.json", "{}")
        .file("tsconfig.json", paths("first.ts"))
        .file("lib/first.ts", "export const text: string = 'first';")
        .file("lib/second.ts", "export const text: string = 'second';")
        .file("routes/a/handler.ts", "import { text } from '#text'; export default (): string => text;")
        .file("routes/b/handler.ts", says("old"))
        .serving("routes")
        .dev();
    assert_eq!(host.get("/a").text(), "first");
    for text in ["new", "newer"] {
        host.site.write("routes/b/handler.ts", says(text));
        host.until("/b", |answer| answer.text() == text);
    }

    host.site.write("tsconfig.json", paths("second.ts"));

    host.until("/a", |answer| answer.text() == "second");
}

#[test]
fn a_handler_that_becomes_universal_by_a_save_runs_in_browsers() {
    let host = Site::new().file("handler.js", says("old")).file("index.html", "<!doctype html>").dev();
    assert!(!host.get("/app.js").text().contains("/.liveline/client/handler.js"));

    host.site.write("handler.js", format!("\"use universal\";\n{}", says("new")));

    host.until("/", |answer| answer.text() == "new");
    host.until("/app.js", |answer| answer.text().contains("/.liveline/client/handler.js"));
}

#[test]
fn a_new_handler_answers() {
    let host = Site::new().file("handler.js", "export default (event, next) => next();").dev();
    assert_eq!(host.get("/a/b").status, 404);

    host.site.write("a/b/handler.js", says("new"));

    reloaded(&host, "/a/b", |answer| answer.status == 200 && answer.text() == "new");
}

#[test]
fn a_renamed_handler_answers_at_its_new_place() {
    let host = Site::new().file("a/handler.js", says("here")).dev();
    assert_eq!(host.get("/a").text(), "here");

    host.site.rename("a/handler.js", "b/handler.js");

    reloaded(&host, "/b", |answer| answer.status == 200);
    assert_eq!(host.get("/b").text(), "here");
    host.until("/a", |answer| answer.status == 404);
}

#[test]
fn a_deleted_handler_answers_no_more() {
    let host = Site::new().file("handler.js", says("root")).file("a/handler.js", says("here")).dev();

    host.site.remove("handler.js");

    reloaded(&host, "/", |answer| answer.status == 404);
    assert_eq!(host.get("/a").text(), "here");
}

#[test]
fn a_handler_saved_by_renaming_answers() {
    // Many editors write a second file and rename it over the first.
    let host = Site::new().file("handler.js", says("old")).dev();

    host.site.write("handler.js.tmp", says("new"));
    host.site.rename("handler.js.tmp", "handler.js");

    reloaded(&host, "/", |answer| answer.text() == "new");
}

#[test]
fn a_syntax_error_keeps_the_old_code() {
    let host = Site::new().file("handler.js", says("old")).dev();

    host.site.write("handler.js", "export default () => {\n  const x = ;\n};\n");
    host.log.next("reload failed");
    host.log.next("handler.js:2");
    host.log.next("const x = ;");
    assert_eq!(host.get("/").text(), "old");

    host.site.write("handler.js", says("repaired"));
    reloaded(&host, "/", |answer| answer.text() == "repaired");
}

#[test]
fn an_error_while_loading_keeps_the_old_code() {
    let host = Site::new().file("handler.js", says("old")).dev();

    host.site.write("handler.js", "throw new Error(\"at load\");\nexport default () => 1;\n");
    host.log.next("reload failed");
    host.log.next("at load");

    assert_eq!(host.get("/").text(), "old");
}

#[test]
fn a_live_line_of_the_old_code_goes_on() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            export default (event) => {
              event.client.addEventListener("ask", () => event.client.postMessage("old code"));
              event.waitUntil(new Promise((r) => event.client.addEventListener("go", r)));
              return { code: "old" };
            };"#,
        )
        .dev();
    let (answer, mut line) = host.open("/");

    host.site.write("handler.js", says("new"));
    reloaded(&host, "/", |answer| answer.text() == "new");
    line.send("ask", Value::Null);

    assert_eq!(answer.json(), json!({ "code": "old" }));
    assert_eq!(line.expect("message"), json!("old code"));
    line.send("go", Value::Null);
    line.done();
}

#[test]
fn a_line_offered_by_the_old_code_can_still_be_joined() {
    let host = Site::new()
        .file("handler.js", r#"export default (event) => { event.waitUntilNavigate(); return "old"; };"#)
        .dev();
    let answer = host.get("/");

    host.site.write("handler.js", says("new"));
    reloaded(&host, "/", |answer| answer.text() == "new");
    let mut line = host.join(&answer);
    line.navigate("/elsewhere");

    assert_eq!(line.closed(), 4001);
}

#[cfg(target_os = "linux")] // It looks into /proc.
#[test]
fn a_hundred_reloads_leak_neither_threads_nor_memory() {
    const MIB: u64 = 1024 * 1024;
    let host = Site::new().file("handler.js", says("0")).dev();
    let reload = |n: u32| {
        host.site.write("handler.js", says(&n.to_string()));
        reloaded(&host, "/", |answer| answer.text() == n.to_string());
    };

    // The first generations fill the allocator and the caches.
    (1..=20).for_each(reload);
    let (threads, memory) = (host.threads(), host.memory());
    (21..=120).for_each(reload);

    // The last generations may still be on their way out, and the spare isolate's two threads on their way in.
    host.until("/", |_| host.threads() <= threads + 2);
    let grown = host.memory().saturating_sub(memory);
    assert!(grown < 64 * MIB, "100 reloads grew the process by {} MiB", grown / MIB);
}

/// The isolate that waits for the next save has answered requests of the host's own.
#[test]
fn code_that_was_saved_finds_no_trace_of_earlier_requests() {
    let version = |number: u32| {
        format!(
            r#"
            const found = [...Reflect.ownKeys(globalThis).map(String), performance.getEntries().length];
            export default ({{ url }}) => ({{ found, version: {number}, path: url.pathname }});"#
        )
    };
    let host = Site::new().file("handler.js", version(0)).dev();
    let first = host.get("/").json();
    for number in 1..=4 {
        host.site.write("handler.js", version(number));
        reloaded(&host, "/", |answer| answer.json()["version"] == number);
        let expected = json!({ "found": first["found"], "version": number, "path": "/rehearsal/3" });
        assert_eq!(host.get("/rehearsal/3").json(), expected);
    }
    assert!(!host.log.text().contains("takes longer"), "{}", host.log.text());
    assert!(!host.log.text().contains("rehears"), "{}", host.log.text());
}

#[cfg(target_os = "linux")] // It looks into /proc.
#[test]
fn a_load_that_a_save_cancels_leaves_no_isolate() {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = server.local_addr().expect("an address");
    let host = Site::new().file("handler.js", says("0")).arg("--workers=2").dev();
    let threads = host.threads();

    for n in 1..=10 {
        // One worker loads. The other one waits until the next save cancels the load.
        host.site.write("handler.js", format!("await fetch('http://{address}/{n}'); {}", says("1")));
        let mut waiting = Vec::new();
        while waiting.len() < 2 {
            let (stream, _) = server.accept().expect("a request");
            // A load that is cancelled may close its connection before it has sent anything.
            let mut head = String::new();
            let _ = BufReader::new(&stream).read_line(&mut head);
            if head.contains(&format!("/{n} ")) {
                waiting.push(stream);
            }
            if let [first] = &mut waiting[..] {
                let _ = first.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
            }
        }
    }
    host.site.write("handler.js", says("last"));

    host.until("/", |answer| answer.text() == "last");
    // The spare isolate's two threads may be on their way in.
    host.until("/", |_| host.threads() <= threads + 2);
}

// -- Code that waits ----------------------------------------------------------------------------------

/// A module whose top-level await does not end, although something is still to come.
const WAITS: &str = "setInterval(() => {}, 1000);\nexport default 1;\nawait new Promise(() => {});\n";

#[test]
fn a_newer_save_replaces_one_that_waits() {
    let host = Site::new().file("handler.js", says("old")).dev();
    host.site.write("handler.js", WAITS);
    let line = host.log.next("top-level await");
    assert!(line.contains("WARN") && line.contains("handler.js:3"), "{line}");
    assert_eq!(host.get("/").text(), "old");

    host.site.write("handler.js", says("new"));

    host.log.next("reloaded");
    host.until("/", |answer| answer.text() == "new");
}

#[test]
fn a_save_mends_an_import_that_waits_at_the_start() {
    let mut host = Site::new()
        .file("site/package.json", "{}")
        .file("site/lib/database.js", WAITS)
        .file(
            "site/routes/handler.js",
            r#"import text from "../lib/database.js"; export default () => text;"#,
        )
        .serving("site/routes")
        .begin_dev();
    let line = host.log.next("top-level await");
    assert!(line.contains("lib/database.js:3") && line.contains("routes/handler.js waits"), "{line}");

    host.ready();

    host.site.write("site/lib/database.js", r#"export default "mended";"#);

    host.until("/", |answer| answer.text() == "mended");
}

#[test]
fn check_names_the_file_that_waits() {
    let site = Site::new().file("a/handler.js", WAITS);
    let mut check =
        site.command("check").stderr(Stdio::piped()).spawn().expect("the executable under test starts");
    let log = Log::follow("stderr", check.stderr.take().expect("stderr is piped"));

    let line = log.next("top-level await");

    check.kill().expect("it still waits");
    check.wait().expect("it was killed");

    assert!(line.contains("a/handler.js:3: this top-level await has not ended after 1s"), "{line}");
}

#[test]
fn no_request_fails_during_reloads() {
    let says = |n: u32| format!("export default () => {n};\n");
    let host = Site::new().file("handler.js", says(0)).dev();

    thread::scope(|scope| {
        // Dropped after the last save, and also when the test fails before it.
        let saving = Arc::new(());
        for _ in 0..3 {
            let (saving, host) = (Arc::downgrade(&saving), &host);
            scope.spawn(move || {
                while saving.strong_count() > 0 {
                    let answer = host.get("/");
                    assert_eq!(answer.status, 200, "{answer:?}");
                }
            });
        }
        for n in 1..=15 {
            host.site.write("handler.js", says(n));
            host.until("/", |answer| answer.text() == n.to_string());
        }
    });
}

#[test]
fn broken_code_outside_the_folder_is_waited_for() {
    let project = Site::new()
        .file("package.json", "{}")
        .file("lib/x.js", "export const x = ;")
        .file("routes/handler.js", r#"import { x } from "../lib/x.js"; export default () => x;"#);
    let mut host = Site::of(project.path("routes")).begin_dev();
    host.log.next("waiting for a change");

    project.write("lib/x.js", r#"export const x = "mended";"#);

    host.ready();
    host.until("/", |answer| answer.text() == "mended");
}
