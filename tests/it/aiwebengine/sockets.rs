//! `registerWebSocket()`: the handler gets an accepted socket and the context.

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::script;
use crate::support::Site;

const ECHO: &str = r#"
    registerWebSocket("/echo", "echo");
    register("/both", "page", "GET");
    registerWebSocket("/both", (socket) => socket.close(4000, "both"));
    function page() { return ResponseBuilder.text("a page"); }
    function echo(socket, context) {
      socket.send(JSON.stringify({ path: context.request.path, name: context.query.name }));
      socket.addEventListener("message", ({ data }) => socket.send(`echo ${data}`));
    }
    function init() { registerWebSocket("/later", "echo"); }"#;

#[test]
fn a_handler_gets_the_socket_and_the_context() {
    let host = script(ECHO).serve();
    for path in ["/echo", "/later"] {
        let (mut socket, _) = host.dial(&format!("{path}?name=Ada")).upgrade().expect("a socket");

        let first = socket.read().expect("a message").into_text().expect("a text");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&first).expect("JSON"),
            json!({ "path": path, "name": "Ada" })
        );
        socket.send(Message::text("hello")).expect("an open socket");
        assert_eq!(socket.read().expect("a message").into_text().expect("a text"), "echo hello");
    }
}

#[test]
fn other_requests_for_the_path_learn_what_it_is_for() {
    let host = script(ECHO).serve();

    let refused = host.get("/echo");
    assert_eq!((refused.status, refused.header("upgrade")), (426, Some("websocket")), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "UPGRADE_REQUIRED");
    assert_eq!(host.request("POST", "/echo").send().status, 405);
    assert_eq!(host.get("/both").text(), "a page");
    let (mut socket, _) = host.dial("/both").upgrade().expect("a socket");
    assert!(matches!(socket.read(), Ok(Message::Close(Some(frame))) if frame.reason == "both"));
}

#[test]
fn sockets_are_listed_and_missing_handlers_reported() {
    let site = Site::new().file("scripts/main.js", r#"registerWebSocket("/echo", "missing");"#);
    let listed = site.run("routes");
    assert!(listed.stdout.contains("/echo"), "{}", listed.output());
    let host = site.serve();
    host.log.next("the handler \"missing\" of the WebSocket /echo does not exist");
    assert!(host.dial("/echo").upgrade().is_err());
}
