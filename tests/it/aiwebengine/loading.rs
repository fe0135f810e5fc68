//! Which scripts load, and what their first run does.

use super::{follow, script, seed};
use crate::support::{Finished, Site};

#[test]
fn bad_paths_of_streams_are_errors() {
    let paths = ["'no-slash'", "'/' + 'x'.repeat(200)", "'/a/../b'", "''", "5", "'/a\\\\b'", "'/a b'"];
    let calls: String = paths
        .iter()
        .enumerate()
        .map(|(n, path)| format!("try {{ registerWebStream({path}); writeLog('Should have failed'); }} catch (error) {{ writeLog('{n} ' + error.name + ' ' + error.message); }}\n"))
        .collect();
    let host = script(&calls).serve();
    for n in 0..paths.len() {
        host.prints(&format!("{n} TypeError Invalid stream path: "));
    }
    assert!(!host.printed().contains("Should have failed"));
}

#[test]
fn a_script_that_fails_is_reported_and_the_others_serve() {
    let host = Site::new()
        .file("scripts/a.js", "writeLog('begins');\nregisterWebStream('no-slash');")
        .file("scripts/b.js", "function init() {\n  routeRegistry.registerRoute('x', 'y', 'GET');\n}")
        .file("scripts/c.js", "register('/c', () => 'c'")
        .file("scripts/d.js", seed!("quickstart.js"))
        .serve();
    host.log.contains("scripts/a.js:2");
    host.log.contains("Invalid stream path: it has to begin with '/'.");
    host.log.contains("scripts/b.js:2");
    host.log.contains("scripts/c.js:1");
    let mut events = follow(&host, "/events");
    host.request("POST", "/trigger").send();
    assert_eq!(super::next(&mut events)["type"], "event");
}

#[test]
fn init_runs_once() {
    for call in ["", "init();", "init({ scriptName: 'x' });"] {
        let text = format!(
            "let runs = 0;
             function init(context) {{
               runs += 1;
               writeLog('init ' + runs);
               registerWebStream('/s');
               register('/runs', () => String(runs));
             }}
             {call}"
        );
        let host = script(&text).arg("--workers").arg("1").serve();
        host.prints("init 1");
        assert_eq!(host.get("/runs").text(), "1", "{call}");
        assert!(!host.log.text().contains("was registered"), "{}", host.log.text());
    }
}

#[test]
fn an_init_may_wait_and_be_exported() {
    let host = script(
        "export async function init() { await null; routeRegistry.registerRoute('/x', 'x', 'GET'); }
         export function x() { return 'x'; }",
    )
    .serve();
    assert_eq!(host.get("/x").text(), "x");
}

#[test]
fn scripts_are_recognised() {
    let check = |site: Site| -> Finished { site.run("routes") };
    let listed = check(
        Site::new().file("quickstart.js", seed!("quickstart.js")).file("other.js", "export const a = 1;"),
    );
    assert_eq!(listed.code, Some(0), "{}", listed.output());
    assert!(listed.stdout.contains("quickstart.js"), "{}", listed.stdout);
    assert!(!listed.stdout.contains("other.js"), "{}", listed.stdout);
    let routes: Vec<&str> =
        listed.stdout.lines().filter(|line| line.contains("/trigger") || line.contains("/events")).collect();
    assert!(routes.iter().any(|line| line.starts_with("POST")), "{}", listed.stdout);
    assert!(routes.iter().any(|line| line.contains("/events")), "{}", listed.stdout);
}

#[test]
fn one_script_can_be_served_alone() {
    let site = Site::new()
        .file("a.js", "register('/a', () => 'a');")
        .file("b.js", "register('/b', () => 'b');")
        .serving("a.js");
    let host = site.serve();
    assert_eq!(host.get("/a").text(), "a");
    assert_eq!(host.get("/b").status, 404);
}

#[test]
fn handlers_of_another_dialect_serve_beside_scripts() {
    let host = Site::new()
        .file("app/hello/handler.js", "export default () => 'webflo';")
        .file("scripts/a.js", "register('/a', () => 'script');")
        .serve();
    assert_eq!(host.get("/a").text(), "script");
    assert_eq!(host.get("/hello").text(), "webflo");
}

#[test]
fn scripts_know_each_other_and_their_logs() {
    let host = Site::new()
        .file("scripts/a.js", "writeLog('one', { two: 2 }); register('/a', () => [listScripts(), listLogs(), JSON.parse(listStreams())]);")
        .file("scripts/b.js", "registerWebStream('/s'); register('/b', () => JSON.parse(getScriptInitStatus()).initialized);")
        .serve();
    let known = host.get("/a").json();
    assert_eq!(known, serde_json::json!([["scripts/a.js", "scripts/b.js"], ["one {\"two\":2}"], ["/s"]]));
    assert_eq!(host.get("/b").text(), "true");
}
