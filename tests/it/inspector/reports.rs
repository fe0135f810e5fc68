//! What a debugger is sent: lines of the console, heap snapshots, profiles.

use serde_json::{Value, json};

use super::{Debugger, debugger_address, targets};
use crate::support::Site;

#[test]
fn the_console_prints_here_and_there() {
    let host = Site::new()
        .file("handler.js", "export default () => {\n  console.warn('seen', { a: 1 });\n  return 'done';\n};")
        .arg("--inspect=0")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);

    assert_eq!(host.get("/").text(), "done");

    let printed = debugger.event("Runtime.consoleAPICalled");
    assert_eq!(printed["type"], "warning");
    assert_eq!(printed["args"][0]["value"], "seen");
    assert_eq!(printed["args"][1]["preview"]["properties"][0]["name"], "a");
    let frame = &printed["stackTrace"]["callFrames"][0];
    assert_eq!(frame["lineNumber"], 1, "{frame}");
    host.log.next("seen { a: 1 }");
}

#[test]
fn a_heap_snapshot_is_sent_in_chunks() {
    let host = Site::new()
        .file("handler.js", "globalThis.kept = new (class KeptByHandler {})(); export default () => 'done';")
        .arg("--inspect=0")
        .arg("--cpu-timeout=50ms")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);

    debugger.call("HeapProfiler.takeHeapSnapshot", json!({ "reportProgress": false }));
    // An event that comes after all chunks.
    debugger.call("Runtime.evaluate", json!({ "expression": "console.log('end')" }));

    let mut snapshot = String::new();
    loop {
        let event = debugger.any_event();
        match event["method"].as_str() {
            Some("HeapProfiler.addHeapSnapshotChunk") => {
                snapshot.push_str(event["params"]["chunk"].as_str().expect("text"));
            }
            Some("Runtime.consoleAPICalled") => break,
            _ => {}
        }
    }
    let snapshot: Value = serde_json::from_str(&snapshot).expect("JSON");
    let strings = snapshot["strings"].as_array().expect("a list");
    assert!(strings.contains(&json!("KeptByHandler")));
    assert_eq!(host.get("/").text(), "done");
}

#[test]
fn a_profile_names_the_handlers_functions() {
    let host = Site::new()
        .file(
            "handler.js",
            "function slow() { const end = Date.now() + 100; while (Date.now() < end); }\n\
             export default () => { slow(); return 'done'; };",
        )
        .arg("--inspect=0")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    debugger.call("Profiler.enable", json!({}));
    debugger.call("Profiler.start", json!({}));

    assert_eq!(host.get("/").text(), "done");

    let stopped = debugger.call("Profiler.stop", json!({}));
    let nodes = stopped["profile"]["nodes"].as_array().expect("a list");
    assert!(nodes.iter().any(|node| node["callFrame"]["functionName"] == "slow"), "{nodes:?}");
}
