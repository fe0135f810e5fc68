//! Paused code: what can be done with it, and what goes on meanwhile.

use serde_json::json;

use super::{Debugger, PAUSES, ask, debugger_address, pausing, targets};
use crate::support::{Site, handler, read_to_close};

const TYPESCRIPT: &str = r#"interface Greeting {
  text: string;
}

type Names = Record<string, string>;

// Types are gone when this runs.
export default (event: { request: Request }): Greeting => {
  const names: Names = { a: "Ada" };
  const name = names.a;
  return { text: `Hello ${name}` };
};
"#;

#[test]
fn a_breakpoint_in_typescript_pauses_in_its_line() {
    let host = Site::new().file("handler.ts", TYPESCRIPT).arg("--inspect=0").serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let script = debugger.script("handler.ts");
    assert_eq!(script.map.get_source_contents(0), Some(TYPESCRIPT), "the source is as it was written");
    debugger.break_at(&script, 10);

    let answer = ask(&host, "/");
    let paused = debugger.paused();

    assert_eq!(paused.line_in(&script), 10);
    assert_eq!(debugger.evaluate(&paused, "names.a"), "Ada");
    debugger.call("Debugger.stepOver", json!({}));
    let paused = debugger.paused();
    assert_eq!(paused.line_in(&script), 11);
    assert_eq!(debugger.evaluate(&paused, "name"), "Ada");
    debugger.resume();
    assert!(read_to_close(answer).ends_with(r#"{"text":"Hello Ada"}"#));
}

#[test]
fn a_pause_of_many_times_the_limits_ends_with_the_answer() {
    let host = pausing()
        .file("spins/handler.js", "export default () => { for (;;); };")
        .file("waits/handler.js", "export default () => new Promise(() => {});")
        .arg("--inspect=0")
        .arg("--cpu-timeout=50ms")
        .arg("--answer-timeout=100ms")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let answer = ask(&host, "/");
    let paused = debugger.paused();
    let waiting = ask(&host, "/plain");

    let spin = "(() => { const end = Date.now() + 400; while (Date.now() < end); return local + 1 })()";
    assert_eq!(debugger.evaluate(&paused, spin), 42);
    debugger.resume();

    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#));
    assert!(read_to_close(waiting).ends_with("plain"), "a request that came meanwhile has waited");
    drop(debugger);
    host.log.next("a debugger left");
    assert_eq!(host.get("/spins").status, 500, "without a debugger the limits count again");
    assert_eq!(host.get("/waits").status, 504);
}

#[test]
fn a_debugger_that_leaves_lets_paused_code_run() {
    let host = pausing().arg("--inspect=0").arg("--answer-timeout=2s").serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let answer = ask(&host, "/");
    debugger.paused();

    drop(debugger);

    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#));
}

#[test]
fn lines_are_pinged_while_code_is_paused() {
    let host = Site::new()
        .file("handler.js", PAUSES)
        .file("line/handler.js", handler(r#"event.waitUntilNavigate(); return "open";"#))
        .arg("--inspect=0")
        .arg("--ping-interval=50ms")
        .serve();
    let mut line = host.open_socket("/line");
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let answer = ask(&host, "/");
    debugger.paused();

    line.pinged();
    line.pinged();

    debugger.resume();
    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#));
}

#[test]
fn an_exception_pauses() {
    let host = Site::new()
        .file("handler.js", "export default () => {\n  throw new Error('no');\n};")
        .arg("--inspect=0")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    debugger.call("Debugger.setPauseOnExceptions", json!({ "state": "all" }));

    let answer = ask(&host, "/");
    let paused = debugger.paused();

    assert_eq!(paused.event["reason"], "exception");
    assert_eq!(paused.line(), 2);
    debugger.resume();
    assert!(read_to_close(answer).starts_with("HTTP/1.1 500 "));
}

#[test]
fn an_endless_loop_can_be_paused() {
    let host = Site::new()
        .file(
            "handler.js",
            "export default () => {\n  let goes = true;\n  while (goes);\n  return 'left';\n};",
        )
        .arg("--inspect=0")
        .arg("--cpu-timeout=50ms")
        .serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let answer = ask(&host, "/");
    debugger.call("Debugger.pause", json!({}));

    debugger.paused();
    // One step at least: V8 drops assignments to local variables of optimised code, which no longer runs after a step.
    let paused = loop {
        debugger.call("Debugger.stepInto", json!({}));
        let paused = debugger.paused();
        if paused.url.ends_with("/handler.js") && paused.line() == 3 {
            break paused;
        }
    };

    assert_eq!(debugger.evaluate(&paused, "goes = false"), false);
    debugger.resume();
    assert!(read_to_close(answer).ends_with("left"));
}

#[test]
fn code_that_is_evaluated_pauses_too() {
    let host = pausing().arg("--inspect=0").serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    debugger.call("Debugger.setPauseOnExceptions", json!({ "state": "all" }));

    debugger
        .call("Runtime.evaluate", json!({ "expression": "globalThis.f = () => { debugger; throw 1; }; 1" }));
    debugger.post("Runtime.evaluate", json!({ "expression": "f()" }));
    let paused = debugger.paused();
    assert_eq!(paused.event["callFrames"][0]["functionName"], "globalThis.f");
    debugger.resume();
    debugger.paused();
    debugger.resume();

    assert_eq!(host.get("/plain").text(), "plain");
}

#[test]
fn the_second_worker_answers_while_the_first_is_paused() {
    let host = pausing().arg("--inspect=0").arg("--workers=2").serve();
    let address = debugger_address(&host);
    let all = targets(address);
    let titles: Vec<_> = all.iter().map(|target| target["title"].as_str().expect("a title")).collect();
    assert!(titles[0].starts_with("liveline worker 0, generation 0 "), "{titles:?}");
    assert!(titles[1].starts_with("liveline worker 1, generation 0 "), "{titles:?}");
    let mut debugger = Debugger::enabled(&all[0]);
    // A connection comes to the first of the workers with the fewest.
    let first = ask(&host, "/");
    debugger.paused();

    let second = ask(&host, "/");

    assert!(read_to_close(second).ends_with(r#"{"local":41}"#), "no debugger is attached there");
    debugger.resume();
    assert!(read_to_close(first).ends_with(r#"{"local":41}"#));
}

#[cfg(unix)]
#[test]
fn a_server_that_is_stopped_lets_paused_code_run() {
    let mut host = pausing().arg("--inspect=0").arg("--drain-timeout=1h").serve();
    let mut debugger = Debugger::enabled(&targets(debugger_address(&host))[0]);
    let answer = ask(&host, "/");
    debugger.paused();

    host.signal("INT");

    assert_eq!(debugger.closed(), 1001);
    debugger.event("Inspector.detached");
    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#));
    assert_eq!(host.ended(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_server_that_waits_for_a_debugger_can_be_stopped() {
    let mut host = pausing().arg("--inspect-brk=0").begin_dev();
    host.log.next("waiting for a debugger");

    host.signal("INT");

    assert_eq!(host.ended(), Some(0));
}

#[test]
fn inspect_brk_waits_and_pauses_in_the_first_line() {
    let mut host = Site::new()
        .file("handler.js", "const text = 'ran';\nexport default () => text;")
        .arg("--inspect-brk=0")
        .begin_dev();
    let address = debugger_address(&host);
    host.log.next("waiting for a debugger");
    let mut debugger = Debugger::enabled(&targets(address)[0]);
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));

    let paused = debugger.paused();

    assert!(paused.url.ends_with("/handler.js"), "{}", paused.url);
    assert_eq!(paused.line(), 1);
    debugger.call("Debugger.stepOver", json!({}));
    let paused = debugger.paused();
    assert_eq!(debugger.evaluate(&paused, "text"), json!(null), "nothing of it has run");
    debugger.resume();
    host.ready();
    assert_eq!(host.get("/").text(), "ran");
}
