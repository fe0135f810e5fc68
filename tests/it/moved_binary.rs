//! The executable is all there is: it runs after its build folder is gone. What stands beside it only makes it faster.
//!
//! Deleting the build folder of a test that is running would be rude, and hiding it needs rights a test does
//! not have. So a copy of the executable runs far from home, without environment, while the folders that its
//! JavaScript was built from are watched: nothing in them may be opened.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;

use notify::{Event, EventKind, RecursiveMode, Watcher};
use serde_json::json;

use crate::support::{PATIENCE, Site, executable};

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

#[test]
#[cfg(feature = "v8")]
fn a_copy_starts_from_a_snapshot_beside_it() {
    let away = Site::new();
    let copy = away.path("liveline");
    copy_executable(&copy);
    let made = Command::new(&copy).arg("snapshot").output().expect("the copy runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
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
    assert!(!host.log.text().contains("liveline.snapshot"), "it is used");

    // What is damaged is passed over.
    let mut bytes = fs::read(&snapshot).expect("the snapshot");
    bytes[4096] ^= 1;
    fs::write(&snapshot, bytes).expect("the snapshot can be written");
    let site = Site::new().run_by(&copy, &[]).file("handler.js", "export default () => 'served';");
    let host = site.dev();
    assert_eq!(host.get("/").text(), "served");
    host.log.contains("liveline.snapshot");
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
