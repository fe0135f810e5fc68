//! Every example, as its README describes it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Host, Site, apply};

/// The examples as a person starts them.
fn examples() -> Host {
    let host = Site::of(folder()).dev();
    // Databases are opened while modules load, which `dev` does not wait for.
    host.until("/hello", |answer| answer.status == 200);
    host
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The name of every example. `public` and `source` hold what all their pages share; `fastify`, `larc` and `workers` are
/// projects of their own.
fn names() -> Vec<String> {
    let entries =
        fs::read_dir(folder()).expect("the examples").flatten().filter(|entry| entry.path().is_dir());
    let names = entries.map(|entry| entry.file_name().into_string().expect("a name"));
    let mut names: Vec<_> = names
        .filter(|name| {
            !["aiwebengine", "fastify", "larc", "public", "source", "workers"].contains(&name.as_str())
        })
        .collect();
    names.sort();
    names
}

/// The handlers in a folder, without those of its subfolders.
fn handlers(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).expect("an example").flatten().map(|file| file.path());
    files.filter(|path| file_name(path).starts_with("handler.")).collect()
}

/// How many handlers the host has, in a folder and below it. Those of browsers are not its own.
fn count_handlers(folder: &Path) -> usize {
    let of_browsers =
        |path: &PathBuf| file_name(path).contains(".client.") || file_name(path).contains(".worker.");
    let own = handlers(folder).iter().filter(|path| !of_browsers(path)).count();
    let below = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    own + below.filter(|path| path.is_dir()).map(|path| count_handlers(&path)).sum::<usize>()
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

#[test]
fn the_root_lists_every_example() {
    let listed = examples().get("/").json();

    let listed = listed["examples"].as_array().expect("a list").iter();
    let mut listed: Vec<_> =
        listed.map(|example| example["path"].as_str().expect("a path")[1..].to_owned()).collect();
    listed.sort();
    assert_eq!(listed, names());
}

/// Without this header curl waits for the last state.
#[test]
fn every_readme_that_shows_a_line_asks_for_one() {
    for name in names() {
        let readme = fs::read_to_string(folder().join(&name).join("README.md")).expect("a README");
        for command in readme.split("$ curl").skip(1) {
            let output = command.split("```").next().unwrap_or_default();
            let (line, answer) = output.split_once('\n').expect("what curl prints");
            assert!(
                !answer.contains("x-live-session") || line.to_lowercase().contains("x-accept-live: *"),
                "examples/{name}/README.md shows a live answer to curl{line}"
            );
        }
    }
}

#[test]
fn every_readme_shows_its_handlers() {
    for name in names() {
        let folder = folder().join(&name);
        let readme = fs::read_to_string(folder.join("README.md")).expect("a README");
        let handlers = handlers(&folder);
        assert!(!handlers.is_empty(), "examples/{name} has no handler");
        for handler in handlers {
            let content = fs::read_to_string(&handler).expect("a handler");
            let file = file_name(&handler);
            assert!(readme.contains(&content), "examples/{name}/README.md does not show {file} as it is");
        }
    }
}

#[test]
fn every_example_has_a_page() {
    for name in names() {
        assert!(folder().join(&name).join("page.html").is_file(), "examples/{name} has no page.html");
    }
}

#[test]
fn all_of_them_load() {
    let checked = Site::of(folder()).run("check");

    assert_eq!(checked.code, Some(0), "{}", checked.output());
    assert_eq!(checked.stdout.trim(), format!("ok: {} handlers", count_handlers(&folder())));
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

    let (answer, mut line) = host.open("/steps?pace=50");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
}

#[test]
fn progress() {
    let host = examples();

    let (answer, mut line) = host.open("/progress?pace=50");

    assert_eq!(answer.json(), json!({ "progress": 0 }));
    for percent in [25, 50, 75, 100] {
        assert_eq!(line.expect_body(), json!({ "progress": percent }));
    }
    line.done();
}

#[test]
fn replace() {
    let host = examples();

    let (answer, mut line) = host.open("/replace?pace=50");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
}

#[test]
fn redirect() {
    let host = examples();

    let answer = host.request("POST", "/redirect?pace=50").send();
    let mut line = host.join(&answer);

    assert_eq!((answer.status, answer.json()), (200, json!({ "step": 1 })));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    let last = line.expect("response.replace");
    assert_eq!((&last["body"], &last["status"]), (&Value::Null, &json!(302)));
    assert_eq!(last["headers"], json!({ "location": "/done" }));
    line.done();
    // Other methods are not for this route.
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

#[test]
fn typescript() {
    let host = examples();

    assert_eq!(host.get("/typescript?celsius=21").json(), json!({ "celsius": 21, "fahrenheit": 69.8 }));
    let wrong = host.get("/typescript?celsius=warm");
    assert_eq!((wrong.status, wrong.text()), (400, "celsius must be a number"));
}

#[test]
fn done() {
    assert_eq!(examples().get("/done").json(), json!({ "done": "All the work is finished." }));
}

#[test]
fn skeleton() {
    let host = examples();

    let (answer, mut line) = host.open("/skeleton?pace=50");

    assert_eq!(answer.json()["content"], json!({ "header": "Loading...", "body": [] }));
    let header = line.expect("initial_response.mutate");
    assert_eq!(header[0]["path"], json!(["content", "header"]));
    assert_eq!(header[0]["value"], "Inventory");
    for rows in [
        ["Inventory 1: 12 chairs", "Inventory 2: 3 tables"],
        ["Inventory 3: 40 lamps", "Inventory 4: 1 piano"],
    ] {
        let pushed = line.expect("initial_response.mutate");
        let texts =
            pushed.as_array().expect("records").iter().filter_map(|record| record["value"]["text"].as_str());
        assert_eq!(texts.collect::<Vec<_>>(), rows);
    }
    line.done();
}

#[test]
fn callback() {
    let host = examples();

    let (answer, mut line) = host.open("/callback?pace=50");

    assert_eq!(answer.json(), json!({ "someProp": "nothing yet" }));
    for value in ["someValue", "someOtherValue"] {
        let records = line.expect("initial_response.mutate");
        assert_eq!((&records[0]["path"], &records[0]["value"]), (&json!(["someProp"]), &json!(value)));
    }
    line.done();
}

#[test]
fn generator() {
    let host = examples();

    let (answer, mut line) = host.open("/generator?pace=50");

    assert_eq!(answer.json(), json!({ "yielded": "an object" }));
    assert_eq!(line.expect_body(), json!({ "yielded": "a Response" }));
    let last = line.expect("response.replace");
    assert_eq!((&last["status"], &last["headers"]), (&json!(302), &json!({ "location": "/done" })));
    line.done();
}

#[test]
fn dialogs() {
    let host = examples();

    let answer = host.request("POST", "/dialogs").send();
    let mut line = host.join(&answer);
    let name = line.next_frame();
    line.reply(&name, json!("Ada"));
    let sure = line.next_frame();
    line.reply(&sure, json!(true));

    assert_eq!((name.kind, name.message), ("prompt".into(), json!({ "message": "What is your name?" })));
    assert_eq!((sure.kind, sure.message), ("confirm".into(), json!({ "message": "Shall we greet Ada?" })));
    assert_eq!(line.expect_body(), json!({ "greeting": "Hello, Ada!" }));
    line.done();
}

#[test]
fn messages() {
    let host = examples();

    let (answer, mut line) = host.open("/messages");
    line.send("message", json!({ "length": 3 }));

    assert_eq!(answer.json(), json!({ "remark": "You have not typed anything yet." }));
    assert_eq!(
        line.expect("message"),
        json!({ "message": "You seem to be typing something: 3 characters so far." })
    );
    assert_eq!(line.expect("message"), json!({ "message": "You stopped." }));
    line.navigate("/");
    assert_eq!(line.closed(), 4001);
}

#[test]
fn chat() {
    let host = examples();

    let (answer, mut ada) = host.open("/chat?name=Ada");
    let (_, mut grace) = host.open("/chat?name=Grace");
    let joined = ada.expect("test-channel:message");
    grace.send("test-channel:message", json!({ "message": "hello" }));

    assert_eq!(answer.json(), json!({ "user": "Ada" }));
    assert_eq!(joined, json!({ "event": "joins", "user": "Grace" }));
    assert_eq!(ada.expect("test-channel:message"), json!({ "message": "hello", "user": "Grace" }));
    grace.close();
    assert_eq!(ada.expect("test-channel:message"), json!({ "event": "leaves", "user": "Grace" }));
}

#[test]
fn proxy() {
    let host = examples();

    let (answer, mut line) = host.open("/proxy?pace=50");

    assert_eq!(answer.json(), json!({ "step": 1 }));
    assert_eq!(line.expect("message"), json!({ "note": "half way" }));
    assert_eq!(line.expect_body(), json!({ "step": 2 }));
    line.done();
}

#[test]
fn board() {
    let host = examples();

    let (answer, mut ada) = host.open("/board?name=Ada&colour=0");
    let (_, mut grace) = host.open("/board?name=Grace&colour=1");
    let mut board = answer.json();
    assert_eq!(board["me"]["name"], "Ada");
    let joined = loop {
        let frame = ada.next_frame();
        match frame.kind.as_str() {
            "initial_response.mutate" => apply(&mut board, &frame.message),
            // The state goes on changing.
            "response.done" => {}
            _ => break frame,
        }
    };
    assert_eq!((joined.kind.as_str(), &joined.message["event"]), ("board:message", &json!("joins")));
    assert_eq!(
        (&joined.message["who"]["name"], &joined.message["who"]["colour"]),
        (&json!("Grace"), &json!(1))
    );
    grace.send("board:cursor", json!({ "x": 0.5, "y": 0.25, "who": "somebody else" }));
    grace.send("move", json!({ "id": "welcome", "x": 0.75, "y": 7 }));

    // The pointer is whose it is, and a note's place is on the board.
    let (mut cursor, is_moved) = (Value::Null, |board: &Value| board["notes"][0]["x"] == json!(0.75));
    while cursor.is_null() || !is_moved(&board) || board["people"].as_array().is_none_or(|it| it.len() < 2) {
        let frame = ada.next_frame();
        match frame.kind.as_str() {
            "initial_response.mutate" => apply(&mut board, &frame.message),
            "board:cursor" => cursor = frame.message,
            _ => {}
        }
    }
    assert_eq!((&cursor["x"], &cursor["who"]["name"]), (&json!(0.5), &json!("Grace")));
    assert_eq!(board["notes"][0]["y"], json!(1));
    // Who comes late has the whole board, also without a line.
    let late = host.get("/board").json();
    assert_eq!(late["notes"], board["notes"]);
}

#[test]
fn sources() {
    let host = examples();

    for name in names() {
        let source = host.get(&format!("/source/{name}")).json();
        let files = source["files"].as_array().unwrap_or_else(|| panic!("/source/{name}: {source}"));
        let shown: Vec<_> = files.iter().map(|file| file["name"].as_str().expect("a name")).collect();
        let own = handlers(&folder().join(&name));
        for file in own.iter().map(|path| file_name(path)).chain(["page.html"]) {
            assert!(shown.contains(&file), "/source/{name} shows {shown:?}, not {file}");
        }
        for file in files {
            let path = file["name"].as_str().expect("a name");
            let text = [folder().join(&name).join(path), folder().join(path)];
            let text = text.iter().find_map(|path| fs::read_to_string(path).ok()).expect("the file");
            assert_eq!(file["text"], json!(text), "/source/{name}: {path}");
        }
    }
    // Nothing else can be read, and only the examples' pages link there.
    for other in ["/source/public", "/source/..%2Fsteps", "/source/steps/handler.js", "/source/nothing"] {
        assert_eq!(host.get(other).status, 404, "{other}");
    }
    for name in names() {
        let page = fs::read_to_string(folder().join(&name).join("page.html")).expect("a page");
        assert!(
            page.contains(&format!("href=\"/source/{name}\"")),
            "examples/{name} has no link to its source"
        );
        assert!(page.contains("href=\"/\""), "examples/{name} has no link to the others");
    }
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

#[test]
fn live() {
    let host = examples();

    let (answer, mut line) = host.open("/live");

    assert_eq!(answer.json(), json!({ "progress": 0 }));
    for progress in [10, 20] {
        let records = line.expect("initial_response.mutate");
        assert_eq!((&records[0]["path"], &records[0]["value"]), (&json!(["progress"]), &json!(progress)));
    }
    line.navigate("/");
    assert_eq!(line.closed(), 4001);
}
