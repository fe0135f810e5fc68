//! Timers: numbers for the project's code, objects for that of packages and of `node:timers`.

use serde_json::json;

use crate::support::Site;

/// A site with a CommonJS and an ES package that use the global functions.
fn site(handler: &str) -> Site {
    const METHODS: &str = r#"() => {
      const timer = setTimeout(() => {}, 1000);
      const found = [typeof timer, timer.unref() === timer, timer.hasRef(), timer.ref().hasRef(), timer.refresh() === timer, typeof timer[Symbol.toPrimitive]()];
      clearTimeout(timer);
      return found;
    }"#;
    Site::new()
        .file("node_modules/common/package.json", r#"{ "name": "common", "version": "1.0.0" }"#)
        .file(
            "node_modules/common/index.js",
            format!(
                "exports.methods = {METHODS};\n\
                 exports.after = (call, delay) => setTimeout(call, delay);\n\
                 exports.every = (call, delay) => setInterval(call, delay);\n\
                 exports.clear = (timer) => clearTimeout(timer);"
            ),
        )
        .file("node_modules/modern/package.json", r#"{ "name": "modern", "version": "1.0.0", "type": "module", "exports": "./index.js" }"#)
        .file("node_modules/modern/index.js", format!("export const methods = {METHODS};"))
        .file(
            "handler.js",
            format!(
                "import common from \"common\"; import * as modern from \"modern\"; import {{ promisify }} from \"node:util\";\n\
                 import node from \"node:timers\"; import promises from \"node:timers/promises\";\n{handler}"
            ),
        )
}

#[test]
fn packages_receive_objects_and_handlers_numbers() {
    let host = site(
        r#"export default async () => ({
          common: common.methods(), modern: modern.methods(),
          own: [typeof setTimeout(() => {}, 1), typeof setInterval(() => {}, 1)],
          node: typeof node.setTimeout(() => {}, 1),
          promisified: await promisify(setTimeout)(1, "value"),
          promised: await promises.setTimeout(1, "value"),
          refreshed: await new Promise((done) => common.after(() => done("fired"), 1).refresh()),
        });"#,
    )
    .serve();

    let methods = json!(["object", true, false, true, true, "number"]);
    assert_eq!(
        host.get("/").json(),
        json!({
            "common": methods,
            "modern": methods,
            "own": ["number", "number"],
            "node": "object",
            "promisified": "value",
            "promised": "value",
            "refreshed": "fired",
        })
    );
}

#[test]
fn each_kind_is_cleared_by_the_functions_of_the_other() {
    let host = site(
        r#"export default () => new Promise((done) => {
          const fail = (which) => () => done(which);
          clearTimeout(common.after(fail("object"), 1));
          clearTimeout(+common.after(fail("number of an object"), 1));
          clearTimeout(node.setTimeout(fail("node:timers"), 1));
          common.clear(setTimeout(fail("number"), 1));
          clearInterval(common.every(fail("interval"), 1));
          clearTimeout(undefined);
          clearTimeout(null);
          setTimeout(() => done("none fired"), 20);
        });"#,
    )
    .serve();

    assert_eq!(host.get("/").text(), "none fired");
}

#[test]
fn timers_of_the_project_end_with_their_exchange_and_those_of_packages_do_not() {
    let host = site(
        r#"
        const fired = { web: 0, node: 0, promises: 0, packages: 0 };
        export default async (event, next) => {
          if (next.stepname === "fired") return fired;
          setTimeout(() => fired.web++, 1);
          node.setTimeout(() => fired.node++, 1);
          node.setInterval(() => fired.node++, 1);
          (async () => { for await (const _ of promises.setInterval(1)) fired.promises++; })();
          common.every(() => fired.packages++, 1);
          return "answered";
        };"#,
    )
    .serve();

    assert_eq!(host.get("/").text(), "answered");

    let answer = host.until("/fired", |answer| answer.json()["packages"].as_u64() > Some(20));
    let fired = answer.json();
    assert_eq!(
        (&fired["web"], &fired["node"], &fired["promises"]),
        (&json!(0), &json!(0), &json!(0)),
        "{fired}"
    );
}

#[test]
fn a_timer_that_a_callback_of_a_package_starts_after_the_end_of_an_exchange_fires() {
    // A pool of connections: the first visitor's request makes it, later ones use it.
    let host = site(
        r#"
        let beats = 0;
        const beat = () => { beats++; common.after(beat, 1); };
        export default (event, next) => {
          if (next.stepname === "beats") return { beats };
          common.after(beat, 1);
          return "started";
        };"#,
    )
    .serve();

    host.get("/");

    host.until("/beats", |answer| answer.json()["beats"].as_u64() > Some(20));
}
