//! Every example, as its README describes it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Host, Site, apply};

/// The examples as a person starts them.
fn examples() -> Host {
    Site::of(folder()).dev()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The name of every example.
fn names() -> Vec<String> {
    let entries =
        fs::read_dir(folder()).expect("the examples").flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[test]
fn the_root_lists_every_example() {
    let listed = examples().get("/").json();

    let mut listed: Vec<_> =
        listed.as_object().expect("a list").keys().map(|path| path[1..].to_owned()).collect();
    listed.sort();
    assert_eq!(listed, names());
}

#[test]
fn every_readme_shows_its_handler() {
    for name in names() {
        let folder = folder().join(&name);
        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        let files = fs::read_dir(&folder).expect("an example").flatten().map(|file| file.path());
        let handler = files
            .filter(|path| {
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("handler."))
            })
            .map(|path| fs::read_to_string(path).expect("a handler"))
            .next()
            .expect("a handler");
        assert!(readme.contains(&handler), "examples/{name}/README.md does not show its handler as it is");
    }
}

#[test]
fn all_of_them_load() {
    let checked = Site::of(folder()).run("check");

    assert_eq!(checked.code, Some(0), "{}", checked.output());
    // The root's handler is one more.
    assert_eq!(checked.stdout.trim(), format!("ok: {} handlers", names().len() + 1));
}

#[test]
fn hello() {
    let host = examples();

    let answer = host.get("/hello");

    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.text(), r#"{"hello":"world"}"#);
    assert_eq!(host.get("/hello?name=Ada").text(), r#"{"hello":"Ada"}"#);
    assert!(!answer.is_live());
}

#[test]
fn steps() {
    let host = examples();

    let (answer, mut line) = host.open("/steps");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
}

#[test]
fn progress() {
    let host = examples();

    let (answer, mut line) = host.open("/progress");

    assert_eq!(answer.json(), json!({ "progress": 0 }));
    for percent in [25, 50, 75, 100] {
        assert_eq!(line.expect_body(), json!({ "progress": percent }));
    }
    line.done();
}

#[test]
fn replace() {
    let host = examples();

    let (answer, mut line) = host.open("/replace");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
}

#[test]
fn redirect() {
    let host = examples();

    let answer = host.request("POST", "/redirect").send();
    let mut line = host.join(&answer);

    assert_eq!((answer.status, answer.json()), (200, json!({ "step": 1 })));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    let last = line.expect("response.replace");
    assert_eq!((&last["body"], &last["status"]), (&Value::Null, &json!(302)));
    assert_eq!(last["headers"], json!({ "location": "/done" }));
    line.done();
    // It is for POST only.
    assert_eq!(host.get("/redirect").status, 405);
}

#[test]
fn confirm() {
    let host = examples();

    let answer = host.request("DELETE", "/confirm").send();
    let mut line = host.join(&answer);
    let question = line.next_frame();
    line.reply(&question, json!(true));

    assert_eq!((answer.status, answer.text()), (202, ""));
    assert_eq!(question.kind, "confirm");
    assert_eq!(
        question.message,
        json!({ "message": "This item will be permanently deleted. Are you sure?" })
    );
    assert_eq!(line.expect_body(), json!({ "ok": true }));
    line.done();
}

#[cfg(feature = "ts")]
#[test]
fn typescript() {
    let host = examples();

    assert_eq!(host.get("/typescript?celsius=21").json(), json!({ "celsius": 21, "fahrenheit": 69.8 }));
    let wrong = host.get("/typescript?celsius=warm");
    assert_eq!((wrong.status, wrong.text()), (400, "celsius must be a number"));
}

#[test]
fn posts() {
    let host = examples();

    let (answer, mut line) = host.open("/posts");
    let added = host.request("POST", "/posts").json(&json!({ "title": "News" })).send();
    let mut posts = answer.json();
    apply(&mut posts, &line.expect("initial_response.mutate"));

    assert_eq!(added.status, 201);
    assert_eq!(host.get("/posts").json(), posts);
    assert_eq!(posts["posts"].as_array().expect("posts").len(), 3);
    assert_eq!(posts["posts"][2]["title"], "News");
    assert_eq!(host.request("POST", "/posts").json(&json!({ "title": " " })).send().status, 422);
}
