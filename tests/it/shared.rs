//! `liveline:shared`, `liveline:upload` and `liveline:password`: what handlers have in common, across workers.

use std::io::Write;

use serde_json::{Value, json};

use crate::support::{Host, Line, Site};

/// A source that counts its runs in the database, which all workers have in common.
const COUNTED: &str = r#"
    import { shared } from "liveline:shared";
    import { client } from "liveline:sql";
    await client.exec("CREATE TABLE IF NOT EXISTS runs (n INTEGER PRIMARY KEY, event TEXT)");
    const note = (event) => client.query("INSERT INTO runs (event) VALUES (?)", [event]);
    const state = shared("counted", async function* (signal) {
      await note("begins");
      try {
        for (let n = 0; !signal.aborted; n += 1) {
          yield { n };
          await new Promise((resolve) => {
            const timer = setTimeout(resolve, 20);
            signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
          });
        }
      } finally {
        await note("ends");
      }
    });
    export default async (event, next) => {
      if (next.stepname) return await next();
      return state.states();
    };"#;

const RUNS: &str = r#"
    import { client } from "liveline:sql";
    export default async () => (await client.query("SELECT event FROM runs ORDER BY n")).rows.map(({ event }) => event);"#;

fn counted() -> Site {
    Site::new().file("handler.js", COUNTED).file("runs/handler.js", RUNS)
}

/// The state that the line has after `n`.
fn reaches(line: &mut Line, n: u64) {
    while line.expect_body()["n"].as_u64().is_none_or(|it| it < n) {}
}

fn runs(host: &Host, wanted: &[&str]) {
    host.until("/runs", |answer| answer.json() == json!(wanted));
}

#[test]
fn a_shared_source_runs_once_for_all_workers_while_it_has_viewers() {
    let host = counted().arg("--workers=3").serve();
    let mut viewers: Vec<_> = (0..9).map(|_| host.open("/")).collect();

    for (_, line) in &mut viewers {
        reaches(line, 3);
    }
    runs(&host, &["begins"]);
    // Who comes late begins with the latest state.
    let (late, line) = host.open("/");
    assert!(late.json()["n"].as_u64().expect("a number") >= 3, "{}", late.text());
    line.close();
    // The worker that makes it may lose all its viewers; the others' go on.
    let (_, mut last) = viewers.pop().expect("nine");
    for (_, line) in viewers {
        line.close();
    }
    reaches(&mut last, 6);
    last.close();
    host.until("/runs", |answer| {
        let runs = answer.json();
        let count = |event| runs.as_array().expect("a list").iter().filter(|it| **it == json!(event)).count();
        count("begins") == count("ends")
    });
}

#[test]
fn a_function_is_asked_again_and_again() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { shared } from "liveline:shared";
            let n = 0;
            const state = shared("n", () => ({ n: n++ }), { every: 5 });
            export default () => state.states();"#,
        )
        .serve();

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!({ "n": 0 }));
    reaches(&mut line, 3);
}

#[test]
fn a_source_that_fails_is_logged_and_tried_again() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { shared } from "liveline:shared";
            let n = 0;
            const state = shared("n", async () => {
              n += 1;
              if (n === 1 || n === 3) throw new Error(`failure ${n}`);
              return { n };
            }, { every: 5 });
            export default () => state.states();"#,
        )
        .serve();

    // Without any state there is nothing to answer with; with one, viewers keep it.
    assert_eq!(host.get("/").status, 500);
    host.log.next("failure 1");
    let (answer, mut line) = host.open("/");
    assert_eq!(answer.json(), json!({ "n": 2 }));
    assert_eq!(line.expect_body(), json!({ "n": 4 }));
    host.log.next("failure 3");
}

#[test]
fn a_source_that_ends_ends_the_response() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { shared } from "liveline:shared";
            const state = shared("n", async function* () {
              yield 1;
              await new Promise((resolve) => setTimeout(resolve));
              yield 2;
            });
            export default () => state.states();"#,
        )
        .serve();

    let (answer, mut line) = host.open("/");

    assert_eq!(answer.json(), json!(1));
    loop {
        let frame = line.next_frame();
        if frame.kind == "response.done" {
            break;
        }
        assert_eq!(frame.message["body"], json!(2));
    }
    assert_eq!(line.closed(), 1000);
}

#[test]
fn a_source_that_never_yields_is_stopped_and_begun_again() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { shared } from "liveline:shared";
            let n = 0;
            const state = shared("n", () => {
              n += 1;
              while (n === 2);
              return { n };
            }, { every: 5 });
            export default () => state.states();"#,
        )
        .arg("--cpu-timeout=200ms")
        .serve();

    let (_, mut line) = host.open("/");

    host.log.next("outside of any exchange");
    reaches(&mut line, 4);
}

#[test]
fn new_code_has_a_source_of_its_own() {
    let site = |text: &str| {
        format!(
            r#"
            import {{ shared }} from "liveline:shared";
            const state = shared("text", () => ({text:?}), {{ every: 10 }});
            export default () => state.states();"#
        )
    };
    let host = Site::new().file("handler.js", site("old")).dev();
    let (answer, line) = host.open("/");
    assert_eq!(answer.text(), "old");

    host.site.write("handler.js", site("new"));

    host.until("/", |answer| answer.text() == "new");
    line.close();
}

#[test]
fn names_and_functions_are_checked() {
    for (wrong, why) in [
        (r#"shared("", () => 1)"#, "name"),
        (r#"shared("a", 1)"#, "function"),
        (r#"shared("a", () => 1, { every: 0 })"#, "every"),
        (r#"shared("a", () => 1, { evry: 5 })"#, "evry"),
        (r#"shared("a", () => 1); shared("a", () => 2)"#, "already"),
    ] {
        let site = Site::new().file(
            "handler.js",
            format!(r#"import {{ shared }} from "liveline:shared"; {wrong}; export default () => 1;"#),
        );
        let checked = site.run("check");
        assert!(checked.code == Some(1) && checked.output().contains(why), "{wrong}: {}", checked.output());
    }
}

/// Follows uploads at `/ID`; they go to the same path.
const UPLOADS: &str = r#"
    import { progressOf, track } from "liveline:upload";
    export function GET() {
      return progressOf(this.stepname);
    }
    export async function POST(event) {
      const request = track(event.request, this.stepname);
      const how = event.url.searchParams.get("how");
      if (how === "none") return "not read";
      if (how === "form") return (await request.formData()).get("file").size;
      let size = 0;
      for await (const chunk of request.body ?? []) size += chunk.length;
      return { size };
    }"#;

/// The states of a progress, to its end.
fn progress(line: &mut Line) -> Vec<Value> {
    let (frames, _) = line.rest();
    frames
        .into_iter()
        .filter(|it| it.kind == "response.replace")
        .map(|it| it.message["body"].clone())
        .collect()
}

#[test]
fn an_upload_is_followed_from_another_worker() {
    let host = Site::new().file("-/handler.js", UPLOADS).arg("--workers=3").serve();
    let mut followers: Vec<_> = (0..6).map(|_| host.open("/one")).collect();
    for (answer, _) in &followers {
        assert_eq!(answer.json(), json!({ "state": "waiting", "received": 0, "total": null }));
    }

    // Half of it, and then the rest.
    let mut socket = host.connect();
    let head = "POST /one HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n";
    socket.write_all(head.as_bytes()).expect("the head");
    socket.write_all(&[b'a'; 100_000]).expect("half of the body");
    for (_, line) in &mut followers {
        let first = line.expect_body();
        assert_eq!((&first["state"], &first["total"]), (&json!("receiving"), &json!(200_000)));
    }
    socket.write_all(&[b'a'; 100_000]).expect("the other half");

    for (_, line) in &mut followers {
        let states = progress(line);
        let last = json!({ "state": "received", "received": 200_000, "total": 200_000 });
        assert_eq!(states.last(), Some(&last), "{states:?}");
    }
}

#[test]
fn a_form_is_followed_too_and_an_upload_that_ends_early_has_failed() {
    let host = Site::new().file("-/handler.js", UPLOADS).serve();

    let (_, mut line) = host.open("/form");
    let form =
        "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhello\r\n--b--\r\n";
    let sent =
        host.request("POST", "/form?how=form").header("content-type", "multipart/form-data; boundary=b");
    assert_eq!(sent.body(form).send().json(), json!(5));
    assert_eq!(progress(&mut line).last().expect("a state")["state"], "received");

    let (_, mut line) = host.open("/unread");
    assert_eq!(host.request("POST", "/unread?how=none").body("some").send().text(), "not read");
    assert_eq!(progress(&mut line).last().expect("a state")["state"], "failed");

    let (_, mut line) = host.open("/left");
    let mut socket = host.connect();
    socket
        .write_all(b"POST /left HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\nfour")
        .expect("a part");
    assert_eq!(line.expect_body()["state"], "receiving");
    drop(socket);
    assert_eq!(progress(&mut line).last().expect("a state")["state"], "failed");

    let (_, mut line) = host.open("/empty");
    host.request("POST", "/empty").send();
    assert_eq!(progress(&mut line), [json!({ "state": "received", "received": 0, "total": 0 })]);
}

#[test]
fn passwords_are_kept_as_hashes() {
    let host = Site::new()
        .file(
            "handler.js",
            r#"
            import { hash, verify } from "liveline:password";
            export default async () => {
              const [one, other] = await Promise.all([hash("secret"), hash("secret")]);
              const wrong = await Promise.allSettled([hash(1), hash("a".repeat(2000)), verify("a", "no hash"), verify("a", "")]);
              return {
                kind: one.split("$")[1],
                differ: one !== other,
                holds: one.includes("secret"),
                right: await verify("secret", one),
                wrong: [await verify("Secret", one), await verify("secret", null)],
                errors: wrong.map(({ status }) => status),
              };
            };"#,
        )
        .serve();

    assert_eq!(
        host.get("/").json(),
        json!({
            "kind": "argon2id",
            "differ": true,
            "holds": false,
            "right": true,
            "wrong": [false, false],
            "errors": ["rejected", "rejected", "rejected", "rejected"],
        })
    );
}
