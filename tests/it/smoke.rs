//! The few things that must work with every JavaScript engine: `cargo test --test it smoke` with `LIVELINE_BIN`
//! runs them against any executable.

use serde_json::json;

use crate::support::{Site, executable, serve};

#[test]
fn smoke_hello() {
    let host = serve(r#"export default (event) => ({ hello: event.url.searchParams.get("name") });"#);

    let answer = host.get("/?name=world");

    assert_eq!((answer.status, answer.text()), (200, r#"{"hello":"world"}"#));
}

#[test]
fn smoke_steps_over_a_line() {
    let host = serve(
        r#"
        export async function GET(event, next) {
          event.respondWith({ step: 1 }, { done: false });
          await event.client.readyStateChange("open");
          event.client.postMessage("on the way");
          const answer = await event.user.confirm("on?");
          event.respondWith({ step: 2, answer: answer.data });
        }"#,
    );

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect("message"), json!("on the way"));
    let question = line.next_frame();
    assert_eq!(question.kind, "confirm");
    line.reply(&question, json!(true));
    assert_eq!(line.expect_body(), json!({ "step": 2, "answer": true }));
    line.done();
}

#[test]
fn smoke_reload() {
    let host = Site::new().file("handler.js", r#"export default () => "old""#).dev();
    assert_eq!(host.get("/").text(), "old");

    host.site.write("handler.js", r#"export default () => "new""#);

    host.log.next("reloaded");
    host.until("/", |answer| answer.text() == "new");
}

#[test]
fn smoke_failure() {
    let host =
        serve(r#"export default (event, next) => { if (next.stepname) for (;;); throw new Error("boom"); }"#);

    assert_eq!(host.get("/").status, 500);
    assert_eq!(host.get("/loop").status, 500);
    assert_eq!(host.get("/").status, 500);
}

#[test]
fn smoke_typescript() {
    let host = Site::new().file("handler.ts", "export default (): number => 42 as number;").serve();

    assert_eq!(host.get("/").text(), "42");
}

/// An engine's cache of compiled code in the user's folder would be shared with other programs and other versions.
#[test]
fn smoke_leaves_nothing_in_the_users_folder() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().to_str().expect("a path");
    let site = Site::new().file("handler.js", r#"export default () => "here""#);
    let host = site.run_by(&executable(), &[("HOME", path), ("XDG_CACHE_HOME", path)]).serve();

    assert_eq!(host.get("/").text(), "here");

    let left: Vec<_> = home.path().read_dir().expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
}
