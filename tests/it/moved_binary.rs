//! The executable is all there is: it runs after its build folder is gone. What stands beside it only makes it faster.
//!
//! Deleting the build folder of a test that is running would be rude, and hiding it needs rights a test does
//! not have. So a copy of the executable runs far from home, without environment, while the folders that its
//! JavaScript was built from are watched: nothing in them may be opened.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use notify::{Event, EventKind, RecursiveMode, Watcher};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Figures, PATIENCE, Site, executable};
use crate::websockets::next;

#[test]
fn a_copy_runs_without_its_build_folder() {
    let away = Site::new();
    let copy = away.path("copy-of-liveline");
    copy_executable(&copy);
    let home = away.path(".").display().to_string();
    let (sender, opened) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let event = event.expect("a watched folder stays readable");
        if matches!(event.kind, EventKind::Access(_)) {
            // The receiver is gone once the test has its answer.
            let _ = sender.send(event.paths);
        }
    })
    .expect("a watcher");
    for folder in sources() {
        watcher.watch(&folder, RecursiveMode::Recursive).expect("a watched folder");
    }

    let site = Site::new().run_by(&copy, &[("HOME", &home)]).file(
        "handler.js",
        r#"
        import { LiveResponse } from "@webqit/webflo";
        import Observer from "@webqit/observer";
        export default async function (event) {
          const body = await new Response(new Blob(["streams, "]).stream()).text();
          const url = new URL("/urls", "http://x").pathname;
          event.respondWith({ body, url, same: structuredClone({ a: [1] }) }, { done: false });
          await new Promise((r) => setTimeout(r));
          return new LiveResponse({ step: 2 });
        }"#,
    );
    let host = site.dev();
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "body": "streams, ", "url": "/urls", "same": { "a": [1] } }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();

    // Opening a file shows that the watcher works, and that it has reported everything before.
    let control = control();
    fs::read(&control).expect("a file beside the sources");
    let mut seen = Vec::new();
    loop {
        let paths = opened.recv_timeout(PATIENCE).expect("the watcher tells of every opened file");
        if paths.contains(&control) {
            break;
        }
        seen.extend(paths.into_iter().filter(|path| is_script(path)));
    }
    assert!(seen.is_empty(), "opened while running: {seen:?}");
}

/// Otherwise every start writes addresses into megabytes of tables. ELF's `e_type`: 2 is an executable with a fixed address,
/// 3 is one without (System V ABI, chapter 4).
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", target_endian = "little"))]
fn the_executable_has_a_fixed_address() {
    use std::io::Read as _;
    let mut head = [0; 18];
    fs::File::open(executable()).and_then(|mut file| file.read_exact(&mut head)).expect("an executable");
    assert_eq!(head[..4], *b"\x7fELF");
    assert_eq!(u16::from_le_bytes([head[16], head[17]]), 2);
}

/// A copy of the executable with its snapshot beside it.
#[cfg(feature = "v8")]
fn copy_with_snapshot(away: &Site) -> PathBuf {
    let copy = away.path("liveline");
    copy_executable(&copy);
    let made = Command::new(&copy).arg("snapshot").output().expect("the copy runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    copy
}

/// V8 has one read-only part of the heap for all isolates, and the snapshot has a heap with Node's half and one without.
#[test]
#[cfg(all(feature = "v8", feature = "node"))]
fn isolates_with_and_without_nodes_half_live_beside_each_other() {
    let away = Site::new();
    let copy = copy_with_snapshot(&away);
    let with_node = "import process from 'node:process';\nexport default () => typeof process.pid;";

    let several = Site::new().run_by(&copy, &[]).file("handler.js", with_node).arg("--workers=6").serve();
    for _ in 0..12 {
        assert_eq!(several.get("/").text(), "number");
    }

    let host = Site::new().run_by(&copy, &[]).file("handler.js", "export default () => 'plain';").dev();
    assert_eq!(host.get("/").text(), "plain");
    for _ in 0..2 {
        host.site.write("handler.js", format!("{with_node} // {}", host.log.text().len()));
        host.log.next("reloaded");
        assert_eq!(host.get("/").text(), "number");
    }
}

/// V8 adds some globals to a heap only where it is not to be kept, so what replaces them finds another object there.
#[test]
#[cfg(feature = "v8")]
fn globals_are_the_same_with_a_snapshot_and_without() {
    let away = Site::new();
    let copy = copy_with_snapshot(&away);
    let handler = r#"
        function list(object, path = "", lines = [], seen = new Set()) {
          seen.add(object);
          for (const key of Reflect.ownKeys(object)) {
            const { enumerable, configurable, writable, value } = Object.getOwnPropertyDescriptor(object, key);
            const name = `${path}.${String(key)}`;
            lines.push(`${name} ${enumerable} ${configurable} ${writable}`);
            // What is made when it is first read.
            const child = path === "" ? globalThis[key] : value;
            if (Object(child) === child && !seen.has(child)) list(child, name, lines, seen);
          }
          return lines.sort();
        }
        export default async function () {
          const before = list(globalThis);
          await new Promise((resolve) => queueMicrotask(resolve));
          const changed = list(globalThis).filter((line) => !before.includes(line));
          return { before, changed, enumerable: Object.keys(globalThis) };
        }"#;
    for handler in [handler.to_owned(), format!("import 'node:process';{handler}")] {
        let of =
            |program| Site::new().run_by(program, &[]).file("handler.js", &handler).dev().get("/").json();

        let (kept, fresh) = (of(&copy), of(&executable()));

        let lines = |of: &Value| -> BTreeSet<String> {
            let list = of["before"].as_array().expect("a list");
            list.iter().map(|line| line.as_str().expect("a text").to_owned()).collect()
        };
        let (ours, theirs) = (lines(&kept), lines(&fresh));
        assert!(ours.len() > 2000, "{}", ours.len());
        assert_eq!(ours.symmetric_difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new());
        // Reading has replaced the globals that are made when they are first read.
        assert_eq!(kept["changed"], fresh["changed"]);
        assert_eq!((&kept["enumerable"], &fresh["enumerable"]), (&json!([]), &json!([])));
    }
}

#[test]
#[cfg(feature = "v8")]
fn a_copy_starts_from_a_snapshot_beside_it() {
    let away = Site::new();
    let copy = copy_with_snapshot(&away);
    let snapshot = away.path("liveline.snapshot");
    let size = fs::metadata(&snapshot).expect("a snapshot beside the copy").len();
    assert!(size > 1 << 20, "{size}");

    let site = Site::new().run_by(&copy, &[]).file(
        "handler.js",
        r#"
        setTimeout(() => globalThis.moduleTimer = true, 0);
        export default async function (event, next) {
          if (next.stepname) return next();
          if (event.url.search === "?fail") throw new TypeError("as asked");
          const nothing = [typeof Deno, typeof bootstrap, typeof __bootstrap, typeof __liveline];
          const error = await fetch("nonsense:").catch((error) => error.name);
          await event.session.set("n", 1 + (await event.session.get("n") ?? 0));
          event.respondWith({ nothing, error, n: await event.session.get("n") }, { done: false });
          await new Promise((resolve) => setTimeout(resolve));
          return { timer: globalThis.moduleTimer, random: crypto.randomUUID().length };
        }"#,
    );
    let host = site.dev();
    let (answer, mut line) = host.open("/");
    let nothing = ["undefined"; 4];
    assert_eq!(answer.json(), json!({ "nothing": nothing, "error": "TypeError", "n": 1 }));
    assert_eq!(line.expect_body(), json!({ "timer": true, "random": 36 }));
    line.done();
    assert!(host.get("/?fail").text().contains("as asked"));
    // The host has answered requests before it kept the heap. Nothing of them is left.
    assert_eq!(host.get("/rehearsal/0").status, 404);
    assert!(!host.log.text().contains("rehears"), "{}", host.log.text());
    assert!(!host.log.text().contains("liveline.snapshot"), "it is used");

    // What is damaged is passed over: a head of another build, and a file that was not written to its end.
    let whole = fs::read(&snapshot).expect("the snapshot");
    let mut other = whole.clone();
    other[0] ^= 1;
    for bytes in [&other[..], &whole[..whole.len() - 4096], &whole[..10]] {
        // Replaced, as it has to be.
        fs::remove_file(&snapshot).expect("the snapshot can be replaced");
        fs::write(&snapshot, bytes).expect("the snapshot can be written");
        let site = Site::new().run_by(&copy, &[]).file("handler.js", "export default () => 'served';");
        let host = site.dev();
        assert_eq!(host.get("/").text(), "served");
        if bytes.len() > 10 {
            host.log.contains("liveline.snapshot");
        }
    }
}

/// Bytes that the heap of an isolate takes which has answered one request. Copies of the texts of scripts would add 0.5 MB.
#[cfg(feature = "v8")]
const HEAP: f64 = 3.4e6;

#[test]
#[cfg(feature = "v8")]
fn an_isolate_from_a_snapshot_has_no_texts_of_scripts_in_its_heap() {
    let away = Site::new();
    let copy = copy_with_snapshot(&away);
    let handler = "export default () => 'served';";
    let host = Site::new().run_by(&copy, &[]).file("handler.js", handler).arg("--metrics=0").serve();
    assert_eq!(host.get("/").text(), "served");
    let used = |figures: &Figures| -> f64 {
        let heaps =
            figures.samples.iter().filter(|((name, _), _)| name == "liveline_isolate_heap_used_bytes");
        heaps.map(|(_, bytes)| bytes).sum()
    };
    let heap = used(&host.until_figures(|figures| used(figures) > 0.0));
    assert!(heap < HEAP, "{heap} bytes");
}

#[test]
#[cfg(feature = "v8")]
fn every_kind_of_answer_comes_from_a_snapshot() {
    let away = Site::new();
    let copy = away.path("liveline");
    copy_executable(&copy);
    let made = Command::new(&copy).arg("snapshot").output().expect("the copy runs");
    assert_eq!(String::from_utf8_lossy(&made.stderr), "", "what the host rehearses is not reported");
    let page = r##"<p render="#text: data?.title">-</p>"##;
    let host = Site::new()
        .run_by(&copy, &[])
        .file("text/handler.js", "export default () => 'text';")
        .file("json/handler.js", "export const GET = async () => ({ json: true });")
        .file(
            "url/handler.js",
            "export default (event) => new Response(event.url.pathname + event.url.search);",
        )
        .file(
            "post/handler.js",
            "export const POST = async (event) => Response.json(await event.request.json());",
        )
        .file("page/handler.js", "export default () => ({ title: 'own title' });")
        .file("page/index.html", page)
        .file(
            "next/handler.js",
            "export default async (event, next) => next.stepname ? await next() : 'end';",
        )
        .file("next/deeper/handler.js", "export default () => 'deeper';")
        .file("states/handler.js", "export default async function* () { yield 1; yield 2; }")
        .file("throws/handler.js", "export default () => { throw new TypeError('own error'); };")
        .file(
            "echo/handler.js",
            r#"export default () => {
              const [client, server] = Object.values(new WebSocketPair());
              server.accept();
              server.addEventListener("message", ({ data }) => server.send(`own ${data}`));
              return new Response(null, { status: 101, webSocket: client });
            };"#,
        )
        .dev();

    assert_eq!(host.get("/text").text(), "text");
    assert_eq!(host.get("/json").json(), json!({ "json": true }));
    assert_eq!(host.get("/url?q=2").text(), "/url?q=2");
    let posted = host.request("POST", "/post").header("content-type", "application/json").body("[1]").send();
    assert_eq!(posted.json(), json!([1]));
    let shown = host.request("GET", "/page").header("accept", "text/html").send();
    assert!(shown.text().contains("own title"), "{}", shown.text());
    assert_eq!(host.get("/next").text(), "end");
    assert_eq!(host.get("/next/deeper").text(), "deeper");
    assert_eq!(host.request("GET", "/states").plain().send().text(), "2");
    assert_eq!(host.get("/throws").status, 500);
    host.log.contains("own error");
    let (mut socket, _) = host.dial("/echo").upgrade().expect("a socket");
    socket.send(Message::text("hello")).expect("an open socket");
    assert_eq!(next(&mut socket), Some(Message::text("own hello")));
}

/// Copies the executable by another process. A program that another test starts inherits the files of this process for a
/// moment, and Linux executes no file that is open for writing.
fn copy_executable(to: &Path) {
    let copied = Command::new("cp").arg(executable()).arg(to).status().expect("cp runs");
    assert!(copied.success(), "a copy of the executable");
}

/// The folders the host's JavaScript comes from: our own, and those of Deno's crates where Cargo keeps them.
fn sources() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).expect("a home");
    let registries = fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten();
    let crates =
        registries.flat_map(|registry| fs::read_dir(registry.path()).into_iter().flatten().flatten());
    let deno = crates.filter(|folder| folder.file_name().to_string_lossy().starts_with("deno_"));
    deno.map(|folder| folder.path()).chain([ours()]).collect()
}

fn ours() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime-js")
}

/// A file that no executable has a reason to open.
fn control() -> PathBuf {
    ours().join("README.md")
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|extension| ["js", "mjs", "ts"].iter().any(|script| extension == *script))
}
