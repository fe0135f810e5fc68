//! Live functions: every way to write one, what reaches the client, and when they end.

use serde_json::{Value, json};

use crate::support::{Frame, Host, Line, Site, serve};

/// The example of the seed, as it stands there.
const SEED: &str = r#"export default async live function(event) {
    const data = { progress: 0 };

    setInterval(() => {
        data.progress += 10;
    }, 1000);

    return data;
}
"#;

/// What a program logs: a module whose `run(log)` uses live functions.
#[track_caller]
fn logged(module: &str) -> Value {
    let handler = r#"
        import { run } from "./program.js";
        export default async () => { const seen = []; await run((...it) => seen.push(it.join(" "))); return seen; }"#;
    let host = Site::new().file("handler.js", handler).file("program.js", module).serve();
    let answer = host.get("/");
    assert_eq!(answer.status, 200, "{answer:?}\n{}", host.log.text());
    answer.json()
}

/// The value that a delta sets, and where.
#[track_caller]
fn expect_set(line: &mut Line, path: &[&str]) -> Value {
    let Frame { kind, message, .. } = line.next_frame();
    assert_eq!(kind, "initial_response.mutate", "{message}");
    let record = &message[0];
    assert_eq!(record["path"], json!(path), "{message}");
    record["value"].clone()
}

// -- What reaches the client ----------------------------------------------------------------------------

#[test]
fn the_example_of_the_seed_streams_its_deltas() {
    let host = serve(SEED);

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!({ "progress": 0 }));
    assert_eq!(expect_set(&mut line, &["progress"]), 10);
    assert_eq!(expect_set(&mut line, &["progress"]), 20);
}

#[test]
fn a_returned_primitive_that_changes_is_a_new_state() {
    let host = serve(
        r#"
        export default async live (event) => {
          let count = 1;
          event.client.addEventListener("go", () => count++);
          const doubled = count * 2;
          return doubled;
        }"#,
    );

    let (answer, mut line) = host.open("/");
    line.send("go", json!(null));

    assert_eq!(answer.text(), "2");
    assert_eq!(line.expect_body(), 4);
}

#[test]
fn array_methods_in_ordinary_functions_travel() {
    let host = serve(
        r#"
        const add = (list, item) => list.push(item);
        export default live function (event) {
          const data = { items: ["b"], old: 1 };
          event.client.addEventListener("go", () => {
            add(data.items, "a");
            data.items.sort();
            delete data.old;
          });
          return data;
        }"#,
    );

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "items": ["b"], "old": 1 }));
    line.send("go", json!(null));

    assert_eq!(expect_set(&mut line, &["items", "1"]), "a");
    assert_eq!(expect_set(&mut line, &["items", "0"]), "a");
    let last = line.expect("initial_response.mutate");
    assert_eq!((&last[0]["type"], &last[0]["path"]), (&json!("delete"), &json!(["old"])));
}

#[test]
fn every_spelling_is_live() {
    for (name, source) in [
        ("quantum", "export default quantum function (event) { BODY }"),
        ("a declaration", "live function f(event) { BODY }\nexport default f;"),
        ("a directive", "export default async function (event) { 'use live'; BODY }"),
        ("a directive for the file", "\"use live\";\nexport default (event) => { BODY }"),
        ("an arrow function", "export default live (event) => { BODY }"),
        ("an arrow function of one name", "export default async quantum event => { BODY }"),
        (
            "a method",
            "const o = { async live handle(event) { BODY } };\nexport default (event) => o.handle(event);",
        ),
        ("a static method", "class A { static live handle(event) { BODY } }\nexport const GET = A.handle;"),
        (
            "a private method",
            "class A { live #h(event) { BODY } run(event) { return this.#h(event); } }\nexport default (e) => new A().run(e);",
        ),
    ] {
        let body = "let n = 1; event.client.addEventListener('go', () => n++); return n;";
        let host = serve(&source.replace("BODY", body));

        let (answer, mut line) = host.open("/");
        line.send("go", json!(null));

        assert_eq!(answer.text(), "1", "{name}");
        assert_eq!(line.expect_body(), 2, "{name}");
    }
}

#[test]
fn typescript_handlers_may_be_live() {
    let host = Site::new()
        .file(
            "handler.ts",
            r#"
            interface Data { progress: number }
            export default async live function (event: any): Promise<Data> {
              const data = { progress: 0 } satisfies Data;
              event.client.addEventListener("go", () => { (data as Data).progress! += 10; });
              return data as Data;
            }"#,
        )
        .serve();

    let (answer, mut line) = host.open("/");
    line.send("go", json!(null));

    assert_eq!(answer.json(), json!({ "progress": 0 }));
    assert_eq!(expect_set(&mut line, &["progress"]), 10);
}

#[test]
fn the_words_are_ordinary_names_elsewhere() {
    let host = serve(
        r#"
        const live = (quantum) => quantum + 1;
        const text = `live function ${"use live"}`, pattern = /live () =>/;
        export default () => ({ live: live(1), text, found: pattern.test("live  =>") });"#,
    );

    let answer = host.get("/").json();
    assert_eq!(answer, json!({ "live": 2, "text": "live function use live", "found": true }));
}

// -- Errors ---------------------------------------------------------------------------------------------

#[test]
fn an_error_in_a_live_function_shows_its_line() {
    let host = serve_dev(
        "export default live function (event) {\n  const x = 1;\n  if (x) {\n    throw new Error(\"boom \" + x);\n  }\n}\n",
    );

    let answer = host.get("/");
    let said = answer.text();

    assert!(said.contains("boom 1"), "{said}");
    assert!(said.contains("handler.js:4:11"), "{said}");
    assert!(said.contains("throw new Error(\"boom \" + x);"), "{said}");
}

#[test]
fn a_generator_cannot_be_live() {
    let site = Site::new().file("handler.js", "export const a = 1;\nexport default live function* () {}\n");

    let finished = site.run("check");

    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("a generator cannot be live"), "{}", finished.output());
    assert!(finished.stderr.contains("handler.js:2:16"), "{}", finished.output());
}

#[test]
fn a_mistake_in_a_file_with_live_functions_has_its_place() {
    let site = Site::new().file("handler.js", "export default async live function () {\n  const = 1;\n}\n");

    let finished = site.run("check");

    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("handler.js:2:9"), "{}", finished.output());
    assert!(finished.stderr.contains("const = 1;"), "{}", finished.output());
}

fn serve_dev(handler: &str) -> Host {
    Site::new().file("handler.js", handler).dev()
}

// -- What runs again ------------------------------------------------------------------------------------

#[test]
fn statements_run_again_in_order_and_once() {
    let seen = logged(
        r#"
        let a = 1;
        live function sums(log) { const b = a + 1; const c = a + b; log(a, b, c); return c; }
        export function run(log) { const state = sums(log); a = 2; a = 3; log(state.value); }"#,
    );
    assert_eq!(seen, json!(["1 2 3", "2 3 5", "3 4 7", "7"]));
}

#[test]
fn effects_flow_down_and_never_up() {
    let seen = logged(
        r#"
        let n = 0;
        live function f(log) { log("above", n); n = Math.min(n + 1, 9); log("below", n); }
        export function run(log) { f(log); n = 5; }"#,
    );
    assert_eq!(seen, json!(["above 0", "below 1", "above 5", "below 6"]));
}

#[test]
fn destructuring_and_default_parameters_follow() {
    let seen = logged(
        r#"
        import Observer from "@webqit/observer";
        let factor = 2;
        const vars = { c: "c", d: "d", e: "e" };
        live function f(log, by = factor, { q = 1 } = {}) {
          const { c, d, ...rest } = vars;
          log("c", c);
          log("both", c, d);
          log("rest", rest.e);
          return by + q;
        }
        export function run(log) {
          const state = f(log);
          log("--", f.length);
          Observer.set(vars, { c: "C", d: "D" });
          vars.e = "E";
          factor = 4;
          log(state.value);
        }"#,
    );
    assert_eq!(seen, json!(["c c", "both c d", "rest e", "-- 1", "c C", "both C D", "rest E", "5"]));
}

#[test]
fn branches_returns_and_loops_follow() {
    let seen = logged(
        r#"
        let stopped = true, limit = "two";
        const list = ["one", "two", "three"];
        live function f(log) {
          if (stopped) return "stopped";
          for (const item of list) {
            if (item === limit) { log("limit", item); break; }
            log(item);
          }
          switch (limit) { case "two": log("low"); break; default: log("high"); }
          return "ran";
        }
        export function run(log) {
          const state = f(log);
          const step = (change) => { change(); log("=", state.value); };
          step(() => stopped = false);
          step(() => limit = "three");
          step(() => list.push("four"));
          step(() => limit = "none");
          step(() => list.push("five"));
          step(() => stopped = true);
        }"#,
    );
    let expected = [
        "one",
        "limit two",
        "low",
        "= ran",
        "two",
        "limit three",
        "high",
        "= ran",
        "= ran",
        "three",
        "four",
        "high",
        "= ran",
        "five",
        "= ran",
        "= stopped",
    ];
    assert_eq!(seen, json!(expected));
}

#[test]
fn a_failed_try_is_tried_again() {
    let seen = logged(
        r#"
        let n = 1;
        live function f(log) {
          try { if (n > 1) throw new Error("big"); log("fine", n); }
          catch (error) { log("caught", error.message, n); }
          finally { log("last"); }
        }
        export function run(log) { f(log); n = 2; n = 0; }"#,
    );
    assert_eq!(seen, json!(["fine 1", "last", "caught big 2", "last", "fine 0", "last"]));
}

#[test]
fn statements_that_await_keep_their_order() {
    let seen = logged(
        r#"
        let id = 1;
        const load = async (id) => { await null; return { name: `user ${id}` }; };
        async live function f(log) {
          const user = await load(id);
          const { name } = user;
          log(id, name);
          return name;
        }
        export async function run(log) {
          const state = await f(log);
          log(state.value);
          id = 2;
          await new Promise((done) => setTimeout(done));
          log(state.value);
        }"#,
    );
    assert_eq!(seen, json!(["1 user 1", "user 1", "2 user 2", "user 2"]));
}

#[test]
fn a_change_during_the_first_run_is_not_lost() {
    let seen = logged(
        r#"
        let change;
        async live function f(log) {
          let n = 1;
          const doubled = n * 2;
          change = () => n = 5;
          await null;
          log(n, doubled);
        }
        export async function run(log) { const running = f(log); change(); await running; }"#,
    );
    assert_eq!(seen, json!(["5 10"]));
}

#[test]
fn a_disposed_program_runs_no_more() {
    let seen = logged(
        r#"
        let a = 1;
        live function f(log) { log(a); return a; }
        export function run(log) {
          const state = f(log);
          log(Object.prototype.toString.call(state), typeof state.abort);
          state.dispose();
          a = 2;
          log("value", state.value);
        }"#,
    );
    assert_eq!(seen, json!(["1", "[object LiveProgramHandle] function", "value 1"]));
}

#[test]
fn compiled_expressions_keep_their_meaning() {
    let seen = logged(
        r#"
        const o = { n: 1, list: [3, 1, 2], inner: null, big: 1n, get twice() { return this.n * 2; } };
        let a = 1, b = 2;
        class Counter { #n = 0; up() { return ++this.#n; } }
        live function f(log) {
          const counter = new Counter();
          log(o.inner?.deep.er ?? "none", o.missing?.(), o.list?.map((x) => x + 1).join());
          log(o.n++, ++o.n, o.n **= 2, o.inner ??= "in", o.inner ||= "no", o.big++, o.twice);
          [a, b, o.n] = [b, a, 7];
          log(a, b, o.n, counter.up(), typeof nowhere, delete o.inner, "inner" in o);
          try { const fixed = 1; fixed = 2; } catch (error) { log(error.message); }
          try { o.nothing(); } catch (error) { log(error.message); }
          try { o.inner.x = 1; } catch (error) { log(error.constructor.name); }
          log(`${o.n}`, ...o.list, { ...o }.n, this === undefined, arguments.length);
          for (var i = 0, last; i < 3; i++) { if (i === 1) continue; last = i; }
          log(i, last);
          outer: for (const x of [1, 2]) { for (const y of new Set([1, 2])) { if (y === 2) continue outer; log(x, y); } }
        }
        export function run(log) { f(log).dispose(); }"#,
    );
    let expected = [
        "none  4,2,3",
        "1 3 9 in in 1 18",
        "2 1 7 1 undefined true false",
        "Assignment to constant variable.",
        "nothing is not a function",
        "TypeError",
        "7 3 1 2 7 true 1",
        "3 2",
        "1 1",
        "2 1",
    ];
    assert_eq!(seen, json!(expected));
}

// -- How they end ---------------------------------------------------------------------------------------

#[test]
fn a_live_function_ends_with_its_client() {
    let host = serve(
        r#"
        const seen = [];
        let n = 0;
        live function follow() { seen.push(n); return n; }
        export default (event, next) => {
          if (next.stepname === "seen") return seen;
          if (next.stepname === "bump") return ++n;
          event.signal.addEventListener("abort", () => seen.push("gone"));
          return follow();
        }"#,
    );

    let (answer, mut line) = host.open("/");
    assert_eq!(answer.text(), "0");
    host.get("/bump");
    assert_eq!(line.expect_body(), 1);
    line.close();
    host.until("/seen", |answer| answer.json() == json!([0, 1, "gone"]));
    host.get("/bump");

    assert_eq!(host.get("/seen").json(), json!([0, 1, "gone"]));
}

#[test]
fn a_live_function_that_is_not_returned_ends_with_its_exchange() {
    let host = serve(
        r#"
        const seen = [];
        let n = 0;
        live function follow() { seen.push(n); }
        export default (event, next) => {
          if (next.stepname === "seen") return seen;
          n += 1;
          follow();
          return "done";
        }"#,
    );

    host.get("/");
    host.get("/");

    assert_eq!(host.get("/seen").json(), json!([1, 2]));
}

#[test]
fn a_live_value_that_cannot_be_sent_ends_the_line() {
    let host = serve(
        r#"export default live function (event) {
          let n = 1;
          event.client.addEventListener("go", () => n = 2n);
          return { n };
        }"#,
    );
    let (_, mut line) = host.open("/");

    line.send("go", json!(null));

    assert_eq!(line.closed(), 4002);
    host.log.next("$.body.n is a BigInt");
}

#[test]
fn a_live_function_may_return_what_another_handler_answered() {
    let host = Site::new()
        .file(
            "handler.js",
            "export default async live function (event, next) { if (next.stepname) return await next(); }",
        )
        .file("response/handler.js", r#"export default () => Response.json({ a: 1 }, { status: 201 })"#)
        .file(
            "live/handler.js",
            r#"export default async (event) => {
              event.respondWith({ n: 1 }, { done: false });
              await event.client.readyStateChange("open");
              event.respondWith({ n: 2 });
            }"#,
        )
        .serve();

    let (answer, line) = host.open("/response");
    assert_eq!((answer.status, answer.json()), (201, json!({ "a": 1 })));
    line.close();

    let (answer, mut line) = host.open("/live");
    assert_eq!(answer.json(), json!({ "n": 1 }));
    assert_eq!(line.expect_body(), json!({ "n": 2 }));
}
