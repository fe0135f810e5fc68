//! The recipe for language models, with a model's server in the place of its stand-in.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use serde_json::{Value, json};

use super::fences::sections;
use super::root;
use crate::support::{Host, Line, PATIENCE, Site, apply};

/// What a model's server sends, cut where no server should cut: in a line, in a letter of two bytes, between CR and LF.
const ANSWER: [&[u8]; 9] = [
    b": a comment\r\n\r\nevent: message\r\nda",
    b"ta: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r",
    b"\n\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"Gr\xc3",
    b"\xbc\xc3\x9f\"}}]}\r\n\r\n",
    b"data: {\"choices\":[{\"delta\":{\"content\":\"e,\"}}]}\n\n",
    b"data: {\"choices\":\ndata: [{\"delta\":{\"content\":\" Ada\"}}]}\n\n",
    b"data: {\"choices\":[{\"delta\":{}}]}\n\n",
    b"data: [DO",
    b"NE]\n\n",
];

/// The recipe, asking the model at this address.
fn recipe(model: &TcpListener) -> Host {
    let document = fs::read_to_string(root().join("docs/recipes/language-model.md")).expect("the recipe");
    let files = sections(&document).into_iter().flat_map(|section| section.fences);
    let site = files.fold(Site::new(), |site, fence| match fence.title() {
        Some(title) => site.file(title.trim_start_matches("routes/"), &fence.content),
        None => site,
    });
    let url = format!("http://{}/v1", model.local_addr().expect("an address"));
    let config = format!("export const MODEL = {{ url: {url:?}, name: \"mock\", key: \"sk-test\" }};");
    site.file("model.js", config).serve()
}

/// A model's server for one request. It sends each part that `go` delivers.
fn serve(model: TcpListener, go: mpsc::Receiver<&'static [u8]>) -> thread::JoinHandle<Asked> {
    thread::spawn(move || {
        let (socket, _) = model.accept().expect("a request");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let asked = Asked::read(&socket);
        let mut writer = &socket;
        writer
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            .expect("a head");
        for part in go {
            writer.write_all(part).expect("a part");
        }
        // It sends no more, and waits until the other end closes.
        asked
    })
}

struct Asked {
    head: String,
    body: Value,
    socket: TcpStream,
}

impl Asked {
    fn read(socket: &TcpStream) -> Asked {
        let socket = socket.try_clone().expect("the same socket");
        let mut reader = BufReader::new(&socket);
        let (mut head, mut line) = (String::new(), String::new());
        while reader.read_line(&mut line).expect("a head") > 2 {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.trim().parse().expect("a number")];
        reader.read_exact(&mut body).expect("a body");
        let body = serde_json::from_slice(&body).expect("JSON");
        Asked { head, body, socket }
    }
}

/// Follows the answer until the page would show this.
fn until(line: &mut Line, answer: &mut Value, wish: impl Fn(&Value) -> bool) {
    while !wish(answer) {
        apply(answer, &line.expect("initial_response.mutate"));
    }
}

fn ask(host: &Host) -> (Value, Line) {
    let form = host.request("POST", "/ask").header("content-type", "application/x-www-form-urlencoded");
    let answer = form.body("question=Who%3F").send();
    assert_eq!(answer.json(), json!({ "question": "Who?", "tokens": [], "state": "asking", "error": null }));
    (answer.json(), host.join(&answer))
}

#[test]
fn tokens_of_a_model_arrive_however_they_are_cut() {
    let model = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = recipe(&model);
    let (go, parts) = mpsc::channel();
    let server = serve(model, parts);
    let (mut answer, mut line) = ask(&host);

    for part in &ANSWER[..4] {
        go.send(part).expect("the server goes on");
    }
    // What has come is there before the rest.
    until(&mut line, &mut answer, |answer| answer["tokens"] == json!(["Grüß"]));
    for part in &ANSWER[4..] {
        go.send(part).expect("the server goes on");
    }
    drop(go);

    until(&mut line, &mut answer, |answer| answer["state"] == json!("complete"));
    assert_eq!(answer["tokens"], json!(["Grüß", "e,", " Ada"]));
    line.done();
    let asked = server.join().expect("the model's server");
    assert!(asked.head.starts_with("post /v1/chat/completions "), "{}", asked.head);
    assert!(asked.head.contains("authorization: bearer sk-test"), "{}", asked.head);
    let body =
        json!({ "model": "mock", "stream": true, "messages": [{ "role": "user", "content": "Who?" }] });
    assert_eq!(asked.body, body);
}

#[test]
fn a_client_that_leaves_ends_the_request_to_the_model() {
    let model = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = recipe(&model);
    let (go, parts) = mpsc::channel();
    let server = serve(model, parts);
    let (mut answer, mut line) = ask(&host);
    for part in &ANSWER[..5] {
        go.send(part).expect("the server goes on");
    }
    until(&mut line, &mut answer, |answer| answer["tokens"] == json!(["Grüß", "e,"]));

    line.close();

    drop(go);
    let mut asked = server.join().expect("the model's server");
    // The host closes its end, or resets it; a timeout is neither.
    let end = asked.socket.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "{end:?}");
    host.signal("TERM");
    let log = host.log.end();
    assert!(!log.contains("ERROR") && !log.contains("the model:"), "{log}");
}

#[test]
fn a_model_that_breaks_off_is_reported() {
    let model = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = recipe(&model);
    let (go, parts) = mpsc::channel();
    let server = serve(model, parts);
    let (mut answer, mut line) = ask(&host);
    for part in &ANSWER[..5] {
        go.send(part).expect("the server goes on");
    }
    drop(go);
    drop(server.join());

    until(&mut line, &mut answer, |answer| answer["error"] == json!("The model did not answer."));
    assert_eq!(answer["tokens"], json!(["Grüß", "e,"]));
    line.done();
}
