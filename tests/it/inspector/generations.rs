//! Reloads while debuggers are attached.

use serde_json::json;

use super::{Debugger, PAUSES, ask, attach, debugger_address, pausing, targets};
use crate::support::{Site, read_to_close};

fn typescript(text: &str) -> String {
    format!(
        "type Text = string;\n\nexport default (): Text => {{\n  const text: Text = {text:?};\n  return text;\n}};\n"
    )
}

#[test]
fn a_reload_is_a_new_target_where_breakpoints_are_hit_again() {
    let host = Site::new().file("handler.ts", typescript("old")).arg("--inspect=0").dev();
    let address = debugger_address(&host);
    let old = targets(address);
    let mut debugger = Debugger::enabled(&old[0]);
    let script = debugger.script("handler.ts");

    host.site.write("handler.ts", typescript("new"));
    host.log.next("reloaded in ");

    assert_eq!(debugger.closed(), 1001);
    debugger.event("Inspector.detached");
    let new = targets(address);
    assert_eq!(new.len(), 1, "{new:?}");
    assert_ne!(new[0]["id"], old[0]["id"]);
    assert_ne!(new[0]["title"], old[0]["title"]);
    let mut debugger = Debugger::enabled(&new[0]);
    debugger.break_at(&script, 5);
    let answer = ask(&host, "/");
    let paused = debugger.paused();
    assert_eq!(paused.line_in(&script), 5);
    assert_eq!(debugger.evaluate(&paused, "text"), "new");
    debugger.resume();
    assert!(read_to_close(answer).ends_with("new"));
}

#[test]
fn a_reload_lets_paused_code_run() {
    let host = pausing().arg("--inspect=0").dev();
    let mut debugger = attach(debugger_address(&host));
    debugger.call("Debugger.enable", json!({}));
    let answer = ask(&host, "/");
    debugger.paused();

    host.site.write("plain/handler.js", r#"export default () => "changed";"#);

    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#), "the old code answers");
    host.until("/plain", |answer| answer.text() == "changed");
}

#[test]
fn code_that_does_not_load_leaves_the_debugger_attached() {
    let host = Site::new().file("handler.js", PAUSES).arg("--inspect=0").dev();
    let address = debugger_address(&host);
    let mut debugger = attach(address);
    debugger.call("Debugger.enable", json!({}));

    host.site.write("handler.js", "export default () => {");
    host.log.next("reload failed");

    assert_eq!(targets(address).len(), 1);
    let answer = ask(&host, "/");
    let paused = debugger.paused();
    assert_eq!(debugger.evaluate(&paused, "local"), 41);
    debugger.resume();
    assert!(read_to_close(answer).ends_with(r#"{"local":41}"#));
}

#[test]
fn a_change_while_the_first_code_waits_loads_the_changed_code() {
    let mut host =
        Site::new().file("handler.js", "throw new Error('old');").arg("--inspect-brk=0").begin_dev();
    let address = debugger_address(&host);
    host.log.next("waiting for a debugger");

    host.site.write("handler.js", "export default () => 'new';");
    host.log.next("waiting for a debugger");

    let mut debugger = attach(address);
    debugger.call("Debugger.enable", json!({}));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    debugger.paused();
    debugger.resume();
    host.ready();
    assert_eq!(host.get("/").text(), "new");
}

#[test]
fn a_change_while_the_code_that_loads_is_paused_loads_the_changed_code() {
    let mut host = Site::new().file("handler.js", "\n\ndebugger;").arg("--inspect-brk=0").begin_dev();
    let address = debugger_address(&host);
    host.log.next("waiting for a debugger");
    let mut debugger = attach(address);
    debugger.call("Debugger.enable", json!({}));
    debugger.call("Runtime.runIfWaitingForDebugger", json!({}));
    debugger.paused();

    host.site.write("handler.js", "export default () => 'new';");

    assert_eq!(debugger.closed(), 1001);
    host.ready();
    assert_eq!(host.get("/").text(), "new");
}
